"""How calibration models are dealt into folds and weighed."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nf.core.calibration import CalibrationModel
from nf.core.lineage import STUDENT_ATTACKS

_SHARES = {"copy": 0.25, "student": 0.25, "independent": 0.25, "twin": 0.25}
"""What the models of a group count for together. Students are told from honest models the least, and are as likely."""


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
    """What each model counts for, one in all: thieves as much as honest models, half of either alike.

    Thieves are copies of the source's weights and students of its answers, honest models independent ones and twins;
    within each of these four, every kind counts the same.

    Args:
        models: (K,) calibration models.

    Returns:
        (K,) float64, which add up to 1.
    """
    own = [(_part(model), model.kind) for model in models]
    kinds = Counter(own)
    parts = Counter(part for part, _ in kinds)
    weights = np.array([_SHARES[part] / parts[part] / kinds[part, kind] for part, kind in own])
    whole: NDArray[np.float64] = weights / weights.sum()
    return whole


def _part(model: CalibrationModel) -> str:
    if model.group != "thief":
        return model.group
    return "student" if model.kind in STUDENT_ATTACKS else "copy"
