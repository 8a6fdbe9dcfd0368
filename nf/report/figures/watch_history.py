"""The scores of one watched suspect over time."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from matplotlib.figure import Figure

from nf.monitoring import Observation
from nf.report.figures.style import GRID, HONEST, INK, MUTED, STOLEN, look, panels
from nf.verdict import OUTCOMES

_MARKS = ((STOLEN, "o", STOLEN), (STOLEN, "o", "none"), (HONEST, "s", HONEST))
"""Colour, shape and filling of each outcome's marks."""


def history_figure(observations: Sequence[Observation]) -> Figure:
    """Score over time, in the colour of what each verdict alone shows; a vertical line where another set came into use.

    The threshold is drawn for verdicts that go by it: those without a calibration.

    Args:
        observations: at least one, the oldest first; those without a verdict are crosses at the foot.
    """
    with look():
        figure, (panel,) = panels(1, height=2.6)
        verdicts = [observation for observation in observations if observation.score is not None]
        panel.plot(
            _days(verdicts),
            [_percent(observation.score) for observation in verdicts],
            color=MUTED,
            linewidth=1,
            zorder=1,
        )
        for outcome, (colour, marker, fill) in zip(OUTCOMES, _MARKS, strict=True):
            chosen = [observation for observation in verdicts if observation.outcome == outcome]
            heights = [_percent(observation.score) for observation in chosen]
            panel.plot(_days(chosen), heights, marker, color=colour, markerfacecolor=fill, markersize=5, label=outcome)
        ruled = [observation for observation in verdicts if observation.levels is None]
        thresholds = [_percent(observation.threshold) for observation in ruled]
        dotted: dict[str, Any] = {"color": INK, "linewidth": 1, "linestyle": ":", "label": "threshold"}
        if len(ruled) == 1:  # a step would have no length
            panel.axhline(*thresholds, **dotted)
        elif ruled:
            panel.step(_days(ruled), thresholds, where="post", **dotted)
        silent = [observation for observation in observations if observation.score is None]
        panel.plot(_days(silent), [0.0] * len(silent), "x", color=MUTED, label="no answer")
        for before, after in pairwise(observations):
            if before.query_set != after.query_set:
                panel.axvline(*_days([after]), color=GRID, linewidth=1.5)
        panel.xaxis_date()
        if len(observations) == 1:  # matplotlib would show years
            day = _days(observations)[0]
            panel.set_xlim(day - 0.5, day + 0.5)
        panel.set(ylim=(-4, 104), ylabel="score, %")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _days(observations: Sequence[Observation]) -> list[float]:
    """Days since 1970, which is how matplotlib counts."""
    return [datetime.fromisoformat(observation.at).timestamp() / 86_400 for observation in observations]


def _percent(share: float | None) -> float:
    return float("nan") if share is None else 100 * share
