"""The form of a suspect's answers, checked before anything is made of them."""

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.predictor import OutputKind

# How far rounding takes a probability out of its range, in the float16 that a suspect may compute in.
_ROUNDING = 1e-3


Answered = NDArray[np.float32] | NDArray[np.int64]
"""What a ``Predictor`` returns."""


def check_answers(answers: NDArray[np.generic], output: OutputKind, count: int) -> Answered:
    """What a suspect answered to ``count`` images: (count, classes) float32 scores, or (count,) int64 labels.

    Args:
        answers: as they came.
        output: what the suspect is stated to answer with.
        count: number of images that were asked.

    Raises:
        SuspectError: another shape or type, fewer than two classes, a negative label, a score that is no finite
            float32, or a probability outside [0, 1].
    """
    got = f"got {answers.dtype} of shape {answers.shape}"
    if output == "labels":
        if answers.shape != (count,) or answers.dtype.kind not in "iu":
            raise SuspectError(f"expected integer labels of shape ({count},), {got}")
        labels = answers.astype(np.int64)
        if (labels < 0).any():
            raise SuspectError(f"expected labels from 0 on, got {labels.min()}")
        return labels
    if answers.ndim != 2 or len(answers) != count or answers.dtype.kind != "f":
        raise SuspectError(f"expected {output} of shape ({count}, classes), {got}")
    if answers.shape[1] < 2:
        raise SuspectError(f"expected {output} of at least two classes, {got}; if these are labels, say so")
    with np.errstate(over="ignore"):  # what becomes infinite is refused below
        scores = answers.astype(np.float32)
    unusable = int((~np.isfinite(scores)).any(axis=1).sum())
    if unusable:
        raise SuspectError(f"expected finite {output} for every image, got NaN or infinity for {unusable} of {count}")
    if output == "probabilities" and (scores.min() < -_ROUNDING or scores.max() > 1 + _ROUNDING):
        raise SuspectError(
            f"expected probabilities in [0, 1], got {scores.min():g} to {scores.max():g}; if these are logits, say so"
        )
    return scores


def look_like_probabilities(scores: NDArray[np.generic]) -> bool:
    """Whether the ``scores`` (N, classes) lie in [0, 1] and add up to 1 for every image, but for rounding."""
    within = scores.min() >= -_ROUNDING and scores.max() <= 1 + _ROUNDING
    return bool(within and np.abs(scores.sum(axis=1) - 1).max() <= _ROUNDING)
