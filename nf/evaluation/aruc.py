"""Robustness, uniqueness and the area under both (paper, section 4.1).

As functions of the threshold t both are left-continuous steps, constant between neighbouring scores, so the area is a
finite sum and needs no grid. Scores may carry leading axes (resamples), which every function keeps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nf.evaluation.checks import as_scores


@dataclass(frozen=True)
class Curves:
    """Robustness and uniqueness as exact step functions of the threshold t.

    Attributes:
        thresholds: (K,) break points, ascending from 0 to 1.
        robustness: (..., K) share of positives with score >= t, for t in (thresholds[k - 1], thresholds[k]].
        uniqueness: (..., K) share of negatives with score < t, for t in (thresholds[k - 1], thresholds[k]].
    """

    thresholds: NDArray[np.float64]
    robustness: NDArray[np.float64]
    uniqueness: NDArray[np.float64]

    @property
    def area(self) -> NDArray[np.float64]:
        """(...) integral over t in [0, 1] of the lower of the two curves, in [0, 1]."""
        lower = np.minimum(self.robustness, self.uniqueness)
        area: NDArray[np.float64] = lower[..., 1:] @ np.diff(self.thresholds)
        return area


def robustness(scores_pos: ArrayLike, t: ArrayLike) -> NDArray[np.float64]:
    """Share of positives that are recognised at threshold ``t``: score >= t.

    Args:
        scores_pos: (..., P) scores in [0, 1] of models that descend from the source.
        t: (K,) thresholds.

    Returns:
        (..., K) shares in [0, 1].

    Raises:
        ConfigError: there is no score, or one outside [0, 1].
    """
    scores = as_scores("positive", scores_pos)
    shares: NDArray[np.float64] = np.mean(scores[..., None] >= np.asarray(t), axis=-2)
    return shares


def uniqueness(scores_neg: ArrayLike, t: ArrayLike) -> NDArray[np.float64]:
    """Share of negatives that are not accused at threshold ``t``: score < t.

    Args:
        scores_neg: (..., N) scores in [0, 1] of models that do not descend from the source.
        t: (K,) thresholds.

    Returns:
        (..., K) shares in [0, 1].

    Raises:
        ConfigError: there is no score, or one outside [0, 1].
    """
    scores = as_scores("negative", scores_neg)
    shares: NDArray[np.float64] = np.mean(scores[..., None] < np.asarray(t), axis=-2)
    return shares


def curves(pos: ArrayLike, neg: ArrayLike) -> Curves:
    """Robustness and uniqueness at every threshold where one of them changes, and at 0 and 1.

    Args:
        pos: (..., P) scores of positives in [0, 1].
        neg: (..., N) scores of negatives in [0, 1].

    Raises:
        ConfigError: a side has no score, or one outside [0, 1].
    """
    thresholds = np.unique(np.concatenate([[0.0, 1.0], np.ravel(pos), np.ravel(neg)]))
    return Curves(thresholds, robustness(pos, thresholds), uniqueness(neg, thresholds))


def aruc(pos: ArrayLike, neg: ArrayLike) -> NDArray[np.float64]:
    """ARUC: the exact integral over t in [0, 1] of min(R(t), U(t)).

    It rewards a wide band of usable thresholds and is no ranking metric: perfectly separated scores reach 1 only if
    all positives score 1 and all negatives 0. Public code elsewhere gives other quantities this name.

    Args:
        pos: (..., P) scores of positives in [0, 1].
        neg: (..., N) scores of negatives in [0, 1].

    Returns:
        (...) areas in [0, 1]; for plain scores a float.

    Raises:
        ConfigError: a side has no score, or one outside [0, 1].
    """
    return curves(pos, neg).area
