from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nf.core.errors import QueryBudgetError, SuspectError
from nf.core.predictor import OutputKind, Predictor
from nf.suspects import CountingPredictor, OnnxSuspect


def test_images_are_counted_and_the_budget_is_never_exceeded(
    write: Callable[[str], Path], linear: str, images: NDArray[np.uint8]
) -> None:
    suspect = OnnxSuspect(write(linear))
    counted = CountingPredictor(suspect, budget=10)
    as_predictor: Predictor = counted
    assert as_predictor.output == "logits"
    np.testing.assert_array_equal(counted(images), suspect(images))
    assert counted.queries == 7
    with pytest.raises(QueryBudgetError, match="expected at most 10 images in all, got 14"):
        counted(images)
    assert counted.queries == 7
    counted(images[:3])
    assert counted.queries == 10


class Silent:
    """Notes how many images it is sent, and answers none."""

    output: OutputKind = "logits"

    def __init__(self) -> None:
        self.sent: list[int] = []

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.sent.append(len(images))
        raise SuspectError("no answer")


def test_images_without_an_answer_count_and_those_over_the_budget_are_not_sent(images: NDArray[np.uint8]) -> None:
    silent = Silent()
    counted = CountingPredictor(silent, budget=10)
    with pytest.raises(SuspectError, match="no answer"):
        counted(images)
    assert counted.queries == 7
    with pytest.raises(QueryBudgetError, match="expected at most 10 images in all, got 14"):
        counted(images)
    assert silent.sent == [7]
