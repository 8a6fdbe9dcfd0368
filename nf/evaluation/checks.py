"""The check that every metric makes of its scores."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nf.core.errors import ConfigError


def as_scores(role: str, values: ArrayLike) -> NDArray[np.float64]:
    """``values`` as float64 of shape (..., models); leading axes are resamples.

    Raises:
        ConfigError: there is no model, or a score is not in [0, 1].
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise ConfigError(f"expected the scores of at least one {role} model, got none")
    if not np.all((scores >= 0) & (scores <= 1)):  # also refuses NaN
        wrong = scores[~((scores >= 0) & (scores <= 1))].flat[0]
        raise ConfigError(f"expected {role} scores in [0, 1], got {wrong}")
    return scores
