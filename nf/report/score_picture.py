"""Where a suspect's score lies among those of the calibration models, as places on a drawing of any width."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nf.core.calibration import Calibration, Group, Look, probability
from nf.verdict import critical_score

_LEFT, _RIGHT = 3.0, 97.0  # per cent of the width
_DOT = 1.9  # per cent of the width that one pile of dots takes
_STEP = 8  # pixels between the dots of a pile
_HIGHEST = 72  # pixels of a pile
_LABEL = 26  # pixels above each row for its name
_TICKS = (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
_ROWS: tuple[tuple[Group, str], ...] = (
    ("thief", "made from your model"),
    ("twin", "learned from your data, not from your model"),
    ("independent", "nothing to do with you"),
)


@dataclass(frozen=True)
class Row:
    """The calibration models of one group.

    Attributes:
        group: group of the models.
        name: what they are, in words.
        label_y: place of the name from the top, in pixels.
        base: place of the lowest dots from the top, in pixels.
        dots: place of each dot, in per cent of the width from the left and in pixels from the top.
    """

    group: Group
    name: str
    label_y: int
    base: int
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Mark:
    """A place on the axis.

    Attributes:
        x: place in per cent of the width from the left.
        label: what stands there.
        group: group of honest models whose level it is, or ``None``.
    """

    x: float
    label: str
    group: Group | None = None


@dataclass(frozen=True)
class ScorePicture:
    """Everything that the drawing shows.

    Attributes:
        rows: calibration models by group, from the top down.
        suspect: place of the suspect, in per cent of the width.
        levels: places from which on a suspect is beyond a level.
        ticks: marks of the axis: calibrated scores.
        height: height in pixels.
    """

    rows: tuple[Row, ...]
    suspect: float
    levels: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    height: int


def draw_scores(
    calibration: Calibration, look: Look, score: float, factors: Mapping[Group, float] | None = None
) -> ScorePicture:
    """Place the calibration models, the suspect and the levels.

    Args:
        calibration: calibration of the query set.
        look: score of the queries that were asked.
        score: score of the suspect by ``look``, in log odds.
        factors: what the suspect's p-values were multiplied by, for several looks or suspects; 1 where it is not said.
    """
    levels = _critical(calibration, look, factors or {})
    shown = [*look.held_out, score]
    low, high = min(shown), max(shown)
    reach = (high - low) or 1.0
    shown += [at for at, _ in levels if low - reach <= at <= high + reach]
    low, high = min(shown) - 0.03 * reach, max(shown) + 0.03 * reach

    def x(value: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * (value - low) / (high - low), 2)

    rows: list[Row] = []
    top = 22
    for group, name in _ROWS:
        places = calibration.select(group)
        if len(places):
            rows.append(_row(group, name, [x(look.held_out[place]) for place in places], top))
            top = rows[-1].base + 14
    marks = tuple(Mark(x(at), label.label, label.group) for at, label in levels if low <= at <= high)
    return ScorePicture(tuple(rows), x(score), marks, _ticks(low, high, x), top + 22)


def _row(group: Group, name: str, xs: list[float], top: int) -> Row:
    piles: Counter[int] = Counter()
    heights = []
    for x in xs:
        pile = round(x / _DOT)
        heights.append(piles[pile])
        piles[pile] += 1
    step = min(_STEP, _HIGHEST / max(piles.values()))
    base = top + _LABEL + math.ceil(step * max(piles.values()))
    dots = tuple((x, round(base - step * height - 4, 1)) for x, height in zip(xs, heights, strict=True))
    return Row(group, name, top + 14, base, dots)


def _critical(calibration: Calibration, look: Look, factors: Mapping[Group, float]) -> list[tuple[float, Mark]]:
    """Scores at which levels are reached."""
    levels = calibration.levels
    named: tuple[tuple[Group, float], ...] = (("independent", levels.independent), ("twin", levels.trained))
    found = []
    for group, level in named:
        at = critical_score(look, calibration, group, level / factors.get(group, 1.0))
        if at is not None:
            found.append((at, Mark(0.0, f"level {100 * level:g}\N{NO-BREAK SPACE}%", group)))
    return found


def _ticks(low: float, high: float, x: Callable[[float], float]) -> tuple[Mark, ...]:
    """Calibrated scores along the axis, round ones where there is room for several."""
    places = [(math.log(chance / (1 - chance)), chance) for chance in _TICKS]
    shown = [(at, f"{100 * chance:g}\N{NO-BREAK SPACE}%") for at, chance in places if low <= at <= high]
    if len(shown) < 3:
        between = [low + (high - low) * share for share in (0.1, 0.5, 0.9)]
        shown = [(at, f"{100 * float(probability(at)):.1f}\N{NO-BREAK SPACE}%") for at in between]
    kept: list[Mark] = []
    for at, label in shown:
        if not kept or x(at) - kept[-1].x > 9:
            kept.append(Mark(x(at), label))
    return tuple(kept)
