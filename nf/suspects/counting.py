"""Query accounting: a suspect's owner counts, and so does the verifier."""

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import QueryBudgetError
from nf.core.predictor import OutputKind, Predictor


class CountingPredictor:
    """A predictor that counts the images it is asked, and refuses those beyond a budget before any is sent.

    Attributes:
        queries: images asked so far, those included that the predictor failed to answer.

    Args:
        predictor: what answers.
        budget: images that may be asked in all.
    """

    def __init__(self, predictor: Predictor, budget: int) -> None:
        self._predictor = predictor
        self._budget = budget
        self.queries = 0

    @property
    def output(self) -> OutputKind:
        """What an answer means."""
        return self._predictor.output

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Answer ``images`` (N, C, H, W).

        Raises:
            QueryBudgetError: N more images are over the budget; none of them was sent.
        """
        asked = self.queries + len(images)
        if asked > self._budget:
            raise QueryBudgetError(f"expected at most {self._budget} images in all, got {asked}")
        self.queries = asked
        return self._predictor(images)
