"""Margins: score of a stolen model minus that of the independent model after the same attack (paper, 4.1)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nf.core.errors import ArtifactError
from nf.core.scores import ScoreTable
from nf.core.seeds import derive_seed
from nf.evaluation.intervals import Interval

_RESAMPLES = 2000


@dataclass(frozen=True)
class Margin:
    """One positive beside its mirror.

    Attributes:
        suspect: id of the positive.
        mirror: id of its mirror.
        attack: attack that both went through.
        level: strength or mode of the attack, empty if it has none.
        architecture: architecture of the positive.
        positive: score of the positive, in [0, 1].
        negative: score of the mirror, in [0, 1].
    """

    suspect: str
    mirror: str
    attack: str
    level: str
    architecture: str
    positive: float
    negative: float

    @property
    def margin(self) -> float:
        """Score of the positive minus that of its mirror, in [-1, 1]."""
        return self.positive - self.negative


@dataclass(frozen=True)
class MarginSummary:
    """Mean and lowest margin of a group of pairs.

    Attributes:
        mean: mean margin, in [-1, 1].
        minimum: lowest margin, in [-1, 1].
        pairs: number of pairs.
        interval: interval of the mean over further models made of the same source and the same mirror; ``None`` for a
            single pair. All pairs are of one lineage on either side, so that it says nothing of another mirror.
    """

    mean: float
    minimum: float
    pairs: int
    interval: Interval | None


def margins(table: ScoreTable) -> tuple[Margin, ...]:
    """The margin of every positive that has a mirror, in the table's order.

    Raises:
        ArtifactError: a mirror is not in the table.
    """
    rows = table.by_suspect()
    pairs = []
    for row in table.select(role="positive").rows:
        if not row.mirror:
            continue
        if row.mirror not in rows:
            raise ArtifactError(f"expected {row.mirror!r}, the mirror of {row.suspect!r}, in the score table, got none")
        mirror = rows[row.mirror].score
        pairs.append(Margin(row.suspect, row.mirror, row.attack, row.level, row.architecture, row.score, mirror))
    return tuple(pairs)


def summarise(pairs: Iterable[Margin], *, confidence: float = 0.95) -> dict[str, MarginSummary]:
    """Mean and lowest margin by attack, in the order in which attacks first occur.

    Args:
        pairs: positives beside their mirrors.
        confidence: confidence of the intervals, in (0, 1).
    """
    by_attack: dict[str, list[float]] = {}
    for pair in pairs:
        by_attack.setdefault(pair.attack, []).append(pair.margin)
    return {
        attack: MarginSummary(
            sum(values) / len(values), min(values), len(values), _interval(attack, values, confidence)
        )
        for attack, values in by_attack.items()
    }


def _interval(attack: str, values: list[float], confidence: float) -> Interval | None:
    """Percentile bootstrap of the mean."""
    if len(values) == 1:
        return None
    rng = np.random.default_rng(derive_seed(0, "margin", attack))
    means = rng.choice(values, (_RESAMPLES, len(values))).mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))
