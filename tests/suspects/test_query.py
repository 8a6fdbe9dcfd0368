from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import accuracy_score

from nf.core.answers import Answers
from nf.core.errors import SuspectError
from nf.core.predictor import OutputKind
from nf.core.queries import QuerySet
from nf.core.verifier import Verifier
from nf.suspects import OnnxSuspect, ask


@dataclass
class Fixed:
    """A predictor that gives one answer whatever it is asked."""

    answers: NDArray[np.float32] | NDArray[np.int64]
    output: OutputKind = "logits"

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        return self.answers


def _with(value: float) -> NDArray[np.float64]:
    """Answers to seven queries, one number of which is ``value``."""
    answers = np.zeros((7, 3))
    answers[2, 1] = value
    return answers


@settings(max_examples=40, deadline=None)
@given(arrays(np.int64, 7, elements=st.integers(0, 3)), arrays(np.int64, 7, elements=st.integers(0, 3)))
def test_the_rate_is_the_accuracy_on_the_labels_of_the_thieves(
    suspected: NDArray[np.int64], stolen: NDArray[np.int64]
) -> None:
    queries = QuerySet(np.zeros((7, 1, 4, 4), np.uint8), stolen, np.full(7, -1))
    assert queries.measure == "matching rate"
    assert queries.score(Answers(suspected)) == pytest.approx(accuracy_score(stolen, suspected))


def test_asking_an_onnx_file_gives_its_most_likely_classes(
    write: Callable[[str], Path], linear: str, queries: QuerySet, scores: NDArray[np.float64]
) -> None:
    answers = ask(OnnxSuspect(write(linear)), queries)
    labels = answers.labels
    assert labels.dtype == np.int64
    assert labels.tolist() == scores.argmax(axis=1).tolist()
    own = replace(queries, labels=labels)
    assert own.score(answers) == 1.0
    assert own.score(Answers((labels + 1) % 3)) == 0.0
    assert answers.probabilities == pytest.approx(softmax(scores, axis=1), abs=1e-6)


def test_logits_probabilities_and_labels_of_the_same_classes_are_the_same(
    queries: QuerySet, scores: NDArray[np.float64]
) -> None:
    labels, probabilities = scores.argmax(axis=1), softmax(scores, axis=1).astype(np.float32)
    asked = [
        ask(Fixed(scores.astype(np.float32)), queries),
        ask(Fixed(probabilities, "probabilities"), queries),
        ask(Fixed(labels.astype(np.int32), "labels"), queries),
    ]
    assert [answers.labels.tolist() for answers in asked] == [labels.tolist()] * 3
    np.testing.assert_allclose(asked[0].as_probabilities(3), asked[1].as_probabilities(3), atol=1e-6)
    assert asked[2].probabilities is None
    assert asked[2].as_probabilities(3).tolist() == np.eye(3)[labels].tolist()


def test_a_suspect_with_fewer_classes_than_the_queries_is_refused(queries: QuerySet) -> None:
    with pytest.raises(SuspectError, match="expected 3 classes or more, as in the query set, got 2"):
        ask(Fixed(np.zeros((7, 2), np.float32)), queries)


@pytest.mark.parametrize(
    ("answers", "output", "message"),
    [
        (
            np.zeros((6, 3), np.float32),
            "logits",
            r"expected logits of shape \(7, classes\), got float32 of shape \(6, 3\)",
        ),
        (np.zeros((7, 3), np.int64), "logits", r"expected logits of shape \(7, classes\), got int64 of shape \(7, 3\)"),
        (
            np.zeros(7, np.int64),
            "probabilities",
            r"expected probabilities of shape \(7, classes\), got int64 of shape \(7,\)",
        ),
        (
            np.zeros((7, 1), np.float32),
            "logits",
            r"expected logits of at least two classes, got float32 of shape \(7, 1\)",
        ),
        (
            np.full((7, 3), np.nan, np.float32),
            "logits",
            "expected finite logits for every image, got NaN or infinity for 7 of 7",
        ),
        (_with(np.inf), "logits", "expected finite logits for every image, got NaN or infinity for 1 of 7"),
        (_with(-np.inf), "logits", "got NaN or infinity for 1 of 7"),
        (_with(1e39), "logits", "got NaN or infinity for 1 of 7"),
        (_with(np.nan), "probabilities", "expected finite probabilities for every image, got NaN or infinity for 1 of"),
        (
            _with(1.01),
            "probabilities",
            r"expected probabilities in \[0, 1\], got 0 to 1.01; if these are logits, say so",
        ),
        (
            _with(-0.01),
            "probabilities",
            r"expected probabilities in \[0, 1\], got -0.01 to 0; if these are logits, say so",
        ),
        (np.zeros(7, np.float32), "labels", r"expected integer labels of shape \(7,\), got float32 of shape \(7,\)"),
        (np.full(7, -1), "labels", "expected labels from 0 on, got -1"),
    ],
)
def test_answers_of_another_form_are_refused(
    queries: QuerySet, answers: NDArray[np.float32], output: OutputKind, message: str
) -> None:
    with pytest.raises(SuspectError, match=message):
        ask(Fixed(answers, output), queries)


def test_probabilities_may_miss_their_range_by_rounding(queries: QuerySet) -> None:
    rounded = np.zeros((7, 3), np.float16)
    rounded[:, 0], rounded[:, 1] = np.nextafter(np.float16(1), np.float16(2)), np.float16(-1e-4)
    assert ask(Fixed(rounded, "probabilities"), queries).labels.tolist() == [0] * 7


def test_logits_at_the_ends_of_float32_have_probabilities(queries: QuerySet) -> None:
    ends = np.zeros((7, 3), np.float32)
    ends[:, 0], ends[:, 1] = np.finfo(np.float32).min, np.finfo(np.float32).max
    probabilities = ask(Fixed(ends), queries).probabilities
    assert probabilities is not None
    assert probabilities.tolist() == [[0, 1, 0]] * 7


def test_a_score_wants_one_answer_per_query(queries: QuerySet) -> None:
    with pytest.raises(SuspectError, match="expected answers to 7 queries, got 6"):
        queries.score(Answers(np.zeros(6, np.int64)))


@pytest.mark.parametrize("classes", [9, 11])
def test_the_number_of_classes_is_the_source_models(classes):
    """The card says how many there are: a suspect with more or fewer is a model for another task."""
    card = {"num_classes": 10}
    queries = QuerySet(np.zeros((3, 1, 4, 4), np.uint8), np.arange(3), np.arange(3) + 1, card)

    class Suspect:
        output = "logits"

        def __call__(self, images):
            return np.eye(classes, dtype=np.float32)[: len(images)]

    with pytest.raises(SuspectError, match=f"expected 10 classes, as the source model has, got {classes}"):
        ask(Suspect(), queries)


def test_labels_that_begin_with_one_are_refused(queries: QuerySet) -> None:
    card = {**queries.card, "num_classes": 3}
    within = np.arange(len(queries)) % 3
    assert ask(Fixed(within, "labels"), replace(queries, card=card)).labels.tolist() == within.tolist()
    with pytest.raises(SuspectError, match="expected labels from 0 to 2, got 3; the first class is 0"):
        ask(Fixed(within + 1, "labels"), replace(queries, card=card))


def test_probabilities_are_no_logits_to_a_verifier(queries: QuerySet, scores: NDArray[np.float64]) -> None:
    """The matching rate does not mind; a verifier would get their softmax."""
    verifier = Verifier((np.ones((2, 3 * len(queries)), np.float32),), (np.zeros(2, np.float32),))
    judged, probabilities = replace(queries, verifier=verifier), softmax(scores, axis=1).astype(np.float16)
    with pytest.raises(
        SuspectError, match=r"expected logits, got numbers in \[0, 1\] that add up to 1 for every image"
    ):
        ask(Fixed(probabilities), judged)
    for answers, output in ((scores.astype(np.float32), "logits"), (probabilities, "probabilities")):
        assert ask(Fixed(answers, output), judged).probabilities is not None
    assert ask(Fixed(probabilities), queries).labels.tolist() == scores.argmax(axis=1).tolist()
