"""Which candidates become queries: those that tell calibration models apart best, together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nf.calibration.folds import weigh
from nf.core.calibration import CalibrationModel

_STEP = 0.2
"""How much one query moves the score of a model: small, so that no model is told by a single one."""


def choose(
    matches: NDArray[np.bool_], models: Sequence[CalibrationModel], queries: int, pairs: NDArray[np.int64], each: int
) -> NDArray[np.int64]:
    """Choose queries one by one, each for the models that those before it tell worst (AdaBoost's weights).

    Args:
        matches: (K, N) whether each model answered each candidate like a thief.
        models: (K,) what the models are.
        queries: number of candidates to choose, at most N.
        pairs: (N,) number of each candidate's pair of labels.
        each: largest number of queries with one pair, as long as other pairs have candidates left.

    Returns:
        (queries,) int64 places of the candidates, the most telling first.
    """
    thief = np.array([model.group == "thief" for model in models])
    truth, votes = np.where(thief, 1.0, -1.0), np.where(matches, 1.0, -1.0)
    weights, score = weigh(models), np.zeros(len(models))
    open_, taken = np.ones(len(pairs), dtype=bool), np.zeros(pairs.max() + 1, dtype=np.int64)
    chosen = np.empty(queries, dtype=np.int64)
    for place in range(queries):
        if not open_.any():
            open_[np.setdiff1d(np.arange(len(pairs)), chosen[:place])] = True
        doubt = weights * np.exp(-truth * score)
        edges = np.where(open_, (truth * doubt) @ votes, -np.inf)
        best = int(edges.argmax())
        chosen[place], open_[best] = best, False
        taken[pairs[best]] += 1
        if taken[pairs[best]] == each:
            open_[pairs == pairs[best]] = False
        score += _STEP * votes[:, best]
        wrong = [float((weights * np.exp(-score * sign))[thief == (sign > 0)].sum()) for sign in (1.0, -1.0)]
        score += np.log(wrong[0] / wrong[1]) / 2  # thieves and honest models stay in balance
    return chosen
