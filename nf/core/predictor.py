"""The black box: all that a verifier may ask of a suspect."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

OutputKind = Literal["logits", "probabilities", "labels"]


class Predictor(Protocol):
    """A classifier that answers images and shows nothing else of itself."""

    @property
    def output(self) -> OutputKind:
        """What an answer means. It is stated, never guessed from the values."""
        ...

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Answer ``images`` (N, C, H, W): (N, classes) scores, or (N,) labels if ``output`` is ``labels``."""
        ...
