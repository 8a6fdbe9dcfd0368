"""Figures over all suspects: robustness and uniqueness (paper, figure 4), and every score."""

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nf.core.scores import Score, ScoreTable
from nf.evaluation import curves
from nf.report.figures.style import GRID, HONEST, INK, SHADE, STOLEN, look, panels
from nf.report.names import attack_name

# Dots of one percentage point are piled up; higher piles are squeezed into the room of this many.
_TALLEST_PILE = 7


def curves_figure(tables: Mapping[str, ScoreTable], thresholds: Mapping[str, float]) -> Figure:
    """Robustness and uniqueness over the threshold with ARUC as the shaded area, one panel a scheme.

    Args:
        tables: the suspects' scores by the scheme's display name.
        thresholds: threshold of the verdict in [0, 1] by the same names.
    """
    with look():
        figure, axes = panels(len(tables), height=3.6, columns=2)
        for panel, (name, table) in zip(axes, tables.items(), strict=True):
            _draw_curves(panel, name, table, thresholds[name])
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_curves(panel: Axes, name: str, table: ScoreTable, threshold: float) -> None:
    steps = curves(table.select(role="positive").values, table.select(role="negative").values)
    robust, unique = 100 * steps.robustness, 100 * steps.uniqueness
    lower = [min(pair) for pair in zip(robust, unique, strict=True)]
    # step="pre": the value at a break point holds for the thresholds just below it, as the curves are defined.
    panel.fill_between(steps.thresholds, lower, step="pre", color=SHADE, alpha=0.3, linewidth=0)
    panel.step(
        steps.thresholds, robust, where="pre", color=STOLEN, linewidth=1.8, label="robustness: stolen models recognised"
    )
    panel.step(
        steps.thresholds,
        unique,
        where="pre",
        color=HONEST,
        linewidth=1.8,
        linestyle=(0, (5, 1.5)),
        label="uniqueness: honest models left alone",
    )
    panel.axvline(threshold, color=INK, linewidth=1, linestyle=":", label="threshold of the verdict")
    panel.set(
        xlim=(0, 1),
        ylim=(0, 103),
        xlabel="threshold on the score",
        ylabel="suspects (%)",
        title=f"{name}: ARUC {steps.area:.3f}",
    )


def rates_figure(table: ScoreTable, threshold: float) -> Figure:
    """Score of every suspect by attack: stolen models piled upwards, honest ones downwards.

    Args:
        table: the suspects' scores.
        threshold: threshold of the verdict in [0, 1], drawn as a line.
    """
    groups: dict[str, dict[str, list[Score]]] = {}
    for row in table.rows:
        groups.setdefault(row.attack, {"positive": [], "negative": []})[row.role].append(row)
    with look():
        baselines, height = _baselines(list(groups.values()))
        figure = Figure(figsize=(10, 1.1 + 0.085 * height), layout="constrained")
        panel = figure.subplots()
        for baseline, group in zip(baselines, groups.values(), strict=True):
            panel.axhline(baseline, color=GRID, linewidth=0.8, zorder=0)
            _draw_pile(panel, group["positive"], baseline, 1, color=STOLEN, marker="o")
            _draw_pile(panel, group["negative"], baseline, -1, color=HONEST, marker="D")
        panel.axvline(100 * threshold, color=INK, linewidth=1.2, linestyle=":")
        panel.set_yticks(baselines, [_group_label(attack, group) for attack, group in groups.items()], color=INK)
        panel.set(xlim=(-1.5, 101.5), ylim=(-height, 0), xlabel="score (%)")
        panel.grid(axis="y", visible=False)
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
        panel.set_title(_rates_title(table, threshold))
        _key(figure, panel, threshold)
    return figure


def _draw_pile(panel: Axes, rows: Sequence[Score], baseline: float, direction: int, *, color: str, marker: str) -> None:
    piles: Counter[int] = Counter()
    squeeze = min(1.0, _TALLEST_PILE / _tallest(rows))
    heights = []
    for row in rows:
        heights.append(baseline + direction * (0.9 + piles[_percent(row)] * squeeze))
        piles[_percent(row)] += 1
    size = 24 if marker == "o" else 17
    panel.scatter(
        [100 * row.score for row in rows],
        heights,
        s=size,
        color=color,
        marker=marker,
        alpha=0.85,
        linewidth=0,
        zorder=3,
    )


def _percent(row: Score) -> int:
    return round(100 * row.score)


def _tallest(rows: Sequence[Score]) -> int:
    return max(Counter(_percent(row) for row in rows).values(), default=1)


def _baselines(groups: Sequence[Mapping[str, Sequence[Score]]]) -> tuple[list[float], float]:
    """Height of each group's base line below the top, and of them all; the unit is one dot."""
    top, baselines = 0.0, []
    for group in groups:
        above, below = (min(_tallest(group[role]), _TALLEST_PILE) + 1.4 for role in ("positive", "negative"))
        baselines.append(-(top + above))
        top += above + below
    return baselines, top


def _group_label(attack: str, group: Mapping[str, Sequence[Score]]) -> str:
    return f"{attack_name(attack)}\n{len(group['positive'])} stolen, {len(group['negative'])} honest"


def _rates_title(table: ScoreTable, threshold: float) -> str:
    pos, neg = table.select(role="positive").values, table.select(role="negative").values
    return (
        f"{sum(pos >= threshold)} of {len(pos)} stolen models reach the threshold, "
        f"{sum(neg >= threshold)} of {len(neg)} honest ones do"
    )


def _key(figure: Figure, panel: Axes, threshold: float) -> None:
    panel.scatter([], [], s=24, color=STOLEN, marker="o", label="stolen: descends from the source model")
    panel.scatter([], [], s=17, color=HONEST, marker="D", label="honest: does not")
    panel.plot([], [], color=INK, linewidth=1.2, linestyle=":", label=f"threshold {100 * threshold:.0f}%")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)
