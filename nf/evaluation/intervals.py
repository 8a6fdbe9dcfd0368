"""Bootstrap intervals: how far a metric would move with other suspects of the same kinds.

Suspects of one lineage fail together, so lineages are drawn, and not suspects.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nf.core.errors import ConfigError
from nf.evaluation.checks import as_scores

Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Function from scores of shape (..., P) of positives and (..., N) of negatives to values of shape (...)."""


@dataclass(frozen=True)
class Interval:
    """A closed interval.

    Attributes:
        low: lower end.
        high: upper end.
    """

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A metric with its interval.

    Attributes:
        value: value of the metric on the suspects.
        interval: bootstrap interval of the metric.
    """

    value: float
    interval: Interval


@dataclass(frozen=True)
class Sample:
    """Suspects of one role.

    Attributes:
        scores: (N,) in [0, 1].
        lineages: (N,) name of each suspect's lineage; an empty name stands for one of its own.
    """

    scores: NDArray[np.float64]
    lineages: tuple[str, ...] = ()

    def clusters(self) -> list[NDArray[np.float64]]:
        """The scores of each lineage."""
        named: dict[object, list[float]] = {}
        names: Sequence[str] = self.lineages or [""] * len(self.scores)
        for place, (score, name) in enumerate(zip(self.scores, names, strict=True)):
            named.setdefault(name or place, []).append(float(score))
        return [np.array(scores) for scores in named.values()]


def bootstrap(
    statistic: Statistic,
    pos: ArrayLike | Sample,
    neg: ArrayLike | Sample,
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> Interval:
    """Percentile bootstrap: lineages are drawn with replacement, within their own role.

    Where no resample differs from another, as with scores that are told apart without any error, the interval reaches
    as far as that of as many lineages as the smaller side has, all of which went well (Clopper and Pearson): a sample
    of 14 does not show that there are no errors.

    Args:
        statistic: function from (P,) and (N,) scores to a value in [0, 1].
        pos: positives; plain scores in [0, 1] stand for lineages of their own.
        neg: negatives, in the same form.
        resamples: number of resamples, at least 1.
        confidence: share of the resamples inside the interval, in (0, 1).
        seed: seed of the resampling.

    Raises:
        ConfigError: a side has no score, a score is outside [0, 1], or ``resamples`` or ``confidence`` is unusable.
    """
    sides = [_clusters(role, side) for role, side in (("positive", pos), ("negative", neg))]
    if resamples < 1:
        raise ConfigError(f"resamples: expected at least 1, got {resamples}")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence: expected a share between 0 and 1, got {confidence}")
    rng = np.random.default_rng(seed)
    values = np.empty(resamples)
    for place in range(resamples):
        drawn = (np.concatenate([side[i] for i in rng.integers(len(side), size=len(side))]) for side in sides)
        values[place] = statistic(*drawn)
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    if low == high:
        reach = 1 - tail ** (1 / min(map(len, sides)))
        return Interval(float(max(0.0, low - reach)), float(min(1.0, high + reach)))
    return Interval(float(low), float(high))


def _clusters(role: str, side: ArrayLike | Sample) -> list[NDArray[np.float64]]:
    sample = side if isinstance(side, Sample) else Sample(np.asarray(side, np.float64))
    as_scores(role, sample.scores)
    return sample.clusters()


def estimate(
    statistic: Statistic,
    pos: ArrayLike | Sample,
    neg: ArrayLike | Sample,
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> Estimate:
    """``statistic`` of all scores, with its interval; arguments and errors are those of ``bootstrap``."""
    interval = bootstrap(statistic, pos, neg, resamples=resamples, confidence=confidence, seed=seed)
    whole = [side.scores if isinstance(side, Sample) else np.asarray(side, np.float64) for side in (pos, neg)]
    return Estimate(float(statistic(*whole)), interval)
