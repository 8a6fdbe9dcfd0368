"""The calibrated score: a regularised logistic regression on which queries a model answered like a thief."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nf.calibration.folds import weigh
from nf.core.calibration import CalibrationModel

PENALTY = 0.01
"""Inverse strength of the penalty on squared weights: ``C`` of scikit-learn, with models that weigh 1 on average."""


def fit(matches: NDArray[np.bool_], models: Sequence[CalibrationModel]) -> tuple[NDArray[np.float64], float]:
    """Learn to tell thieves from honest models.

    Args:
        matches: (K, N) whether each model answered each query like a thief.
        models: (K,) what the models are; both thieves and honest ones.

    Returns:
        (N,) float64 weights and a bias, which add up to log odds of "stolen".
    """
    from sklearn.linear_model import LogisticRegression

    thief = np.array([model.group == "thief" for model in models])
    learned = LogisticRegression(C=PENALTY, max_iter=1000).fit(
        matches.astype(np.float64), thief, sample_weight=weigh(models) * len(models)
    )
    return learned.coef_[0], float(learned.intercept_[0])


def scale(scores: NDArray[np.float64], models: Sequence[CalibrationModel]) -> tuple[float, float]:
    """Factor and offset that make held-out scores log odds (Platt, 1999): a penalised fit is too timid.

    The factor is never negative: where held-out scores tell nothing, no score does.

    Args:
        scores: (K,) held-out scores.
        models: (K,) what the models are.
    """
    from sklearn.linear_model import LogisticRegression

    thief = np.array([model.group == "thief" for model in models])
    spread = float(scores.std()) or 1.0
    learned = LogisticRegression(max_iter=1000).fit(
        scores[:, None] / spread, thief, sample_weight=weigh(models) * len(models)
    )
    return max(0.0, float(learned.coef_[0, 0])) / spread, float(learned.intercept_[0])
