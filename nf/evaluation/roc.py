"""How well scores rank positives above negatives. Scores may carry leading axes (resamples), which are kept."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nf.core.errors import ConfigError
from nf.evaluation.checks import as_scores
from nf.evaluation.intervals import Interval


def roc_auc(pos: ArrayLike, neg: ArrayLike) -> NDArray[np.float64]:
    """Area under the ROC curve: the chance that a positive scores above a negative, a tie counting one half.

    Args:
        pos: (..., P) scores of positives in [0, 1].
        neg: (..., N) scores of negatives in [0, 1].

    Returns:
        (...) areas in [0, 1]; for plain scores a float.

    Raises:
        ConfigError: a side has no score, or one outside [0, 1].
    """
    above = as_scores("positive", pos)[..., :, None]
    below = as_scores("negative", neg)[..., None, :]
    wins: NDArray[np.float64] = np.mean(above > below, axis=(-2, -1)) + np.mean(above == below, axis=(-2, -1)) / 2
    return wins


def tpr_at_fpr(pos: ArrayLike, neg: ArrayLike, fpr: float) -> NDArray[np.float64]:
    """Largest share of positives with score >= t, over all thresholds t at which at most ``fpr`` of negatives have.

    Args:
        pos: (..., P) scores of positives in [0, 1].
        neg: (..., N) scores of negatives in [0, 1].
        fpr: allowed share of negatives, in [0, 1]. Below 1 / N it is the same as 0.

    Returns:
        (...) shares in [0, 1]; for plain scores a float.

    Raises:
        ConfigError: a side has no score, or a score or ``fpr`` is outside [0, 1].
    """
    positives, negatives = as_scores("positive", pos), as_scores("negative", neg)
    if not 0 <= fpr <= 1:
        raise ConfigError(f"fpr: expected a share in [0, 1], got {fpr}")
    count = negatives.shape[-1]
    # Compared as shares: 0.29 * 100 rounds down to 28, while 29 / 100 <= 0.29 holds.
    allowed = int(np.searchsorted(np.arange(count + 1) / count, fpr, side="right")) - 1
    # The threshold must lie above the first negative that is one too many, if there is such a one.
    descending = np.flip(np.sort(negatives, axis=-1), axis=-1)
    barrier = descending[..., allowed : allowed + 1] if allowed < count else -np.inf
    share: NDArray[np.float64] = np.mean(positives > barrier, axis=-1)
    return share


def perfect_range(pos: ArrayLike, neg: ArrayLike) -> Interval | None:
    """Find the thresholds at which TPR and TNR are both 1.

    Args:
        pos: (P,) scores of positives in [0, 1].
        neg: (N,) scores of negatives in [0, 1].

    Returns:
        The highest negative and the lowest positive score, of which every t with low < t <= high is perfect; ``None``
        if no threshold is.

    Raises:
        ConfigError: a side has no score, or one outside [0, 1].
    """
    low, high = float(as_scores("negative", neg).max()), float(as_scores("positive", pos).min())
    return Interval(low, high) if low < high else None
