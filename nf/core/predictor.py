"""The black box: the only way in which a suspect can be queried."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

OutputKind = Literal["logits", "probabilities", "labels"]


class Predictor(Protocol):
    """A classifier that answers images and shows nothing else of itself."""

    @property
    def output(self) -> OutputKind:
        """What the numbers of an answer mean. It is stated, never guessed from the values."""
        ...

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Classify images.

        Args:
            images: (N, C, H, W) uint8 in [0, 255].

        Returns:
            (N, classes) float32 logits or probabilities, or (N,) int64 labels if ``output`` is ``labels``.
        """
        ...
