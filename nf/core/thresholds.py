"""The threshold between stolen and honest, from models whose origin is known."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def midpoint_threshold(positive_scores: ArrayLike, negative_scores: ArrayLike) -> float:
    """The middle of the gap between scores that tells positives (score >= threshold) from negatives best.

    Where the two do not overlap, that is the midpoint of the lowest positive and the highest negative. Where they do,
    it is the gap of best balanced accuracy, and the widest of several equally good ones.

    Args:
        positive_scores: (P,) scores in [0, 1] of models stolen from the source, P >= 1.
        negative_scores: (N,) scores in [0, 1] of independent models, N >= 1.

    Returns:
        The threshold, in [0, 1].

    Raises:
        ValueError: either is empty, or a score is outside [0, 1].
    """
    positives, negatives = _scores("positive_scores", positive_scores), _scores("negative_scores", negative_scores)
    edges = np.unique(np.concatenate([positives, negatives, [0.0, 1.0]]))
    middles, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    sensitivity = (positives[:, None] >= middles).mean(axis=0)
    specificity = (negatives[:, None] < middles).mean(axis=0)
    best = np.lexsort((widths, (sensitivity + specificity).round(12)))[-1]
    # The sum of two rates can be off by the last bit, and then a score that is their middle would not reach it.
    return float(middles[best].round(12))


def sense_floor(shares: ArrayLike, num_classes: int) -> float:
    """The least share of queries that a suspect must answer with the thief's or the honest class to be judged at all.

    A model that was asked in a way that it does not understand gives neither. The floor is halfway between what
    guessing gives, two classes of ``num_classes``, and the lowest of the training models; no suspect has a part in it.

    Args:
        shares: share of each training model, in [0, 1].
        num_classes: number of classes of the source model, at least two.

    Raises:
        ValueError: there are no shares, or one is outside [0, 1].
    """
    lowest = float(_scores("shares", shares).min())
    guessed = min(2 / num_classes, lowest)
    return round((guessed + lowest) / 2, 12)


def _scores(name: str, values: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64).ravel()
    if scores.size == 0:
        raise ValueError(f"{name}: expected at least one score, got none")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f"{name}: expected scores in [0, 1], got {scores.min():g} to {scores.max():g}")
    return scores
