"""Figures of margins, a stolen model's score minus its mirror's (paper, figures 5 to 7).

Each is None where the suspects went through none of its attacks.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nf.core.scores import ScoreTable
from nf.evaluation import Margin, margins
from nf.report.figures.style import (
    GRID,
    HONEST,
    INK,
    SCHEME_COLOURS,
    SCHEME_MARKERS,
    STOLEN,
    look,
    panels,
)
from nf.report.formats import points
from nf.report.names import architecture_name, attack_name

_MODIFICATIONS = {
    "finetune": "fine-tuning mode",
    "prune": "share of weights pruned",
    "noise": "noise value (1 is the strongest)",
}
_EXTRACTIONS = ("distill", "knockoff")
_AXIS = "margin (percentage points)"

Series = dict[str, list[Margin]]
"""The pairs of one attack by the scheme's display name, weakest level first."""


def modifications_figure(tables: Mapping[str, ScoreTable]) -> Figure | None:
    """Margins over fine-tuning mode, pruned share and noise value, one panel each (paper, figure 6).

    Args:
        tables: the suspects' scores by the scheme's display name.
    """
    found = _found(tables, _MODIFICATIONS)
    if not found:
        return None
    with look():
        figure, axes = panels(len(found), height=3.1)
        for panel, (attack, series) in zip(axes, found.items(), strict=True):
            line = "none" if attack == "finetune" else "-"  # modes have no order to join
            for name, pairs, color, marker in _styled(series):
                levels, values = [pair.level for pair in pairs], [100 * pair.margin for pair in pairs]
                panel.plot(levels, values, color=color, marker=marker, markersize=5.5, linestyle=line, label=name)
            panel.axhline(0, color=INK, linewidth=1)
            panel.margins(x=0.12 if attack == "finetune" else 0.05)
            panel.set(ylim=_limits(found.values()), xlabel=_MODIFICATIONS[attack], title=_title(attack, series))
        axes[0].set_ylabel(_AXIS)
        _key(figure, axes[0], tables)
    return figure


def adversarial_figure(tables: Mapping[str, ScoreTable]) -> Figure | None:
    """Scores of stolen models and their mirrors over the share of adversarial images, a panel a scheme (figure 5).

    Args:
        tables: the suspects' scores by the scheme's display name.
    """
    series = _series(tables, "adversarial")
    if not series:
        return None
    with look():
        figure, axes = panels(len(series), height=3.1, columns=2)
        for panel, (name, pairs) in zip(axes, series.items(), strict=True):
            levels = [pair.level for pair in pairs]
            stolen, mirror = [100 * pair.positive for pair in pairs], [100 * pair.negative for pair in pairs]
            panel.fill_between(levels, mirror, stolen, color=GRID, alpha=0.5, linewidth=0)
            panel.plot(levels, stolen, color=STOLEN, marker="o", markersize=5.5, label="stolen model")
            panel.plot(levels, mirror, color=HONEST, marker="D", markersize=4.5, linestyle="--", label="its mirror")
            first, last = points(pairs[0].margin), points(pairs[-1].margin)
            panel.set(
                ylim=(-3, 103),
                xlabel="share of adversarial images",
                ylabel="score (%)",
                title=f"{name}: {first} points apart at {levels[0]}, {last} at {levels[-1]}",
            )
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def extractions_figure(tables: Mapping[str, ScoreTable]) -> Figure | None:
    """Margins by the thief's architecture under distillation and knockoff, one panel each (paper, figure 7).

    Args:
        tables: the suspects' scores by the scheme's display name.
    """
    found = _found(tables, _EXTRACTIONS)
    if not found:
        return None
    architectures = sorted({m.architecture for series in found.values() for pairs in series.values() for m in pairs})
    with look():
        figure, axes = panels(len(found), height=1.2 + 0.24 * len(architectures), columns=2)
        for panel, (attack, series) in zip(axes, found.items(), strict=True):
            _draw_by_architecture(panel, series, architectures)
            panel.set(xlim=_limits(found.values()), xlabel=_AXIS, title=_title(attack, series))
        _key(figure, axes[0], tables)
    return figure


def _draw_by_architecture(panel: Axes, series: Series, architectures: list[str]) -> None:
    heights = {name: -row for row, name in enumerate(architectures)}
    lane = 0.6 / len(series)
    for index, (name, pairs, color, marker) in enumerate(_styled(series)):
        shift = lane * ((len(series) - 1) / 2 - index)
        y = [heights[pair.architecture] + shift for pair in pairs]
        x = [100 * pair.margin for pair in pairs]
        panel.hlines(y, 0, x, color=color, linewidth=2, alpha=0.45)
        panel.plot(x, y, color=color, marker=marker, markersize=5.5, linestyle="none", label=name)
    panel.axvline(0, color=INK, linewidth=1)
    panel.set_yticks(list(heights.values()), [architecture_name(name) for name in architectures])
    panel.tick_params(axis="y", length=0, labelcolor=INK)
    panel.grid(axis="y", visible=False)


def _found(tables: Mapping[str, ScoreTable], attacks: Iterable[str]) -> dict[str, Series]:
    return {attack: series for attack in attacks if (series := _series(tables, attack))}


def _series(tables: Mapping[str, ScoreTable], attack: str) -> Series:
    by_scheme = {name: [pair for pair in margins(table) if pair.attack == attack] for name, table in tables.items()}
    return {name: sorted(pairs, key=_strength) for name, pairs in by_scheme.items() if pairs}


def _strength(pair: Margin) -> float:
    try:
        return float(pair.level)
    except ValueError:
        return 0.0  # modes keep the order of the zoo


def _styled(series: Series) -> Iterator[tuple[str, list[Margin], str, str]]:
    for (name, pairs), color, marker in zip(series.items(), cycle(SCHEME_COLOURS), cycle(SCHEME_MARKERS), strict=False):
        yield name, pairs, color, marker


def _title(attack: str, series: Series) -> str:
    """What the first scheme, the project's own, reaches."""
    values = [pair.margin for pair in next(iter(series.values()))]
    return f"{attack_name(attack)}: {points(min(values))} to {points(max(values))} points"


def _limits(found: Iterable[Series]) -> tuple[float, float]:
    """Room for every margin from 0 to 100 points, and below 0 for those that are negative."""
    lowest = min(100 * pair.margin for series in found for pairs in series.values() for pair in pairs)
    return min(-4.0, lowest - 6.0), 104.0


def _key(figure: Figure, panel: Axes, tables: Mapping[str, ScoreTable]) -> None:
    if len(tables) > 1:
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=6)
