"""How calibration models are dealt into folds and weighed."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nf.core.calibration import CalibrationModel

_SHARES = {"thief": 0.5, "independent": 0.25, "twin": 0.25}


def deal(models: Sequence[CalibrationModel], folds: int) -> NDArray[np.int64]:
    """The fold of each model: honest lineages stay whole, and each fold gets its part of every kind of thief.

    Args:
        models: (K,) calibration models.
        folds: number of folds.

    Returns:
        (K,) int64 in [0, folds).
    """
    dealt: dict[str, int] = {}
    counts: Counter[str] = Counter()
    places = np.empty(len(models), dtype=np.int64)
    for place in sorted(range(len(models)), key=lambda place: models[place].kind):  # a stable sort
        model = models[place]
        hand = model.id if model.group == "thief" else model.lineage
        if hand not in dealt:
            dealt[hand] = counts[model.group] % folds
            counts[model.group] += 1
        places[place] = dealt[hand]
    return places


def weigh(models: Sequence[CalibrationModel]) -> NDArray[np.float64]:
    """What each model counts for, one in all: thieves as much as honest models, and each kind of a group alike.

    Args:
        models: (K,) calibration models.

    Returns:
        (K,) float64, which add up to 1.
    """
    kinds = Counter((model.group, model.kind) for model in models)
    groups = Counter(group for group, _ in kinds)
    weights = np.array([_SHARES[m.group] / groups[m.group] / kinds[m.group, m.kind] for m in models])
    whole: NDArray[np.float64] = weights / weights.sum()
    return whole
