"""The form of a suspect's answers, checked before anything is made of them."""

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.predictor import OutputKind


def check_answers(
    answers: NDArray[np.generic], output: OutputKind, count: int
) -> NDArray[np.float32] | NDArray[np.int64]:
    """What a suspect answered to ``count`` images: (count, classes) float32 scores, or (count,) int64 labels.

    Args:
        answers: as they came.
        output: what the suspect is stated to answer with.
        count: number of images that were asked.

    Raises:
        SuspectError: another shape or type, fewer than two classes, a negative label, or NaN.
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
        raise SuspectError(f"expected {output} of at least two classes, {got}")
    unusable = int(np.isnan(answers).any(axis=1).sum())
    if unusable:
        raise SuspectError(f"expected {output} for every image, got NaN for {unusable} of {count}")
    return answers.astype(np.float32)
