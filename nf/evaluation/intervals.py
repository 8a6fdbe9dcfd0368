"""Bootstrap intervals: how far a metric would move with other suspects of the same kinds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nf.core.errors import ConfigError
from nf.evaluation.checks import as_scores

Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Function from scores of shape (..., P) of positives and (..., N) of negatives to values of shape (...)."""

# Resamples are evaluated in blocks: pairwise statistics need P x N numbers for each.
_BLOCK = 256


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


def bootstrap(
    statistic: Statistic, pos: ArrayLike, neg: ArrayLike, *, resamples: int, confidence: float, seed: int
) -> Interval:
    """Percentile bootstrap, stratified: positives and negatives are drawn with replacement within their own role.

    Args:
        statistic: function from (B, P) and (B, N) resampled scores to (B,) values.
        pos: (P,) scores of positives in [0, 1].
        neg: (N,) scores of negatives in [0, 1].
        resamples: number of resamples, at least 1.
        confidence: share of the resamples inside the interval, in (0, 1).
        seed: seed of the resampling.

    Raises:
        ConfigError: a side has no score, a score is outside [0, 1], or ``resamples`` or ``confidence`` is unusable.
    """
    positives, negatives = as_scores("positive", pos), as_scores("negative", neg)
    if resamples < 1:
        raise ConfigError(f"resamples: expected at least 1, got {resamples}")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence: expected a share between 0 and 1, got {confidence}")
    rng = np.random.default_rng(seed)
    values = []
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        drawn = (rng.choice(scores, size=(size, len(scores))) for scores in (positives, negatives))
        values.append(statistic(*drawn))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(values), [tail, 1 - tail])
    return Interval(float(low), float(high))


def estimate(
    statistic: Statistic, pos: ArrayLike, neg: ArrayLike, *, resamples: int, confidence: float, seed: int
) -> Estimate:
    """``statistic`` of all scores, with its interval; arguments and errors are those of ``bootstrap``."""
    interval = bootstrap(statistic, pos, neg, resamples=resamples, confidence=confidence, seed=seed)
    return Estimate(float(statistic(np.asarray(pos, np.float64), np.asarray(neg, np.float64))), interval)
