from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from nf.core.answers import Answers, AnswerTable
from nf.core.errors import ArtifactError, SuspectError
from nf.core.queries import QuerySet
from nf.core.verifier import Verifier

QUERIES, CLASSES = 5, 3


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(QUERIES * CLASSES, 8), nn.LeakyReLU(), nn.Linear(8, 4), nn.LeakyReLU(), nn.Linear(4, 2)
        )


@pytest.fixture
def verifier(network):
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    return Verifier(
        tuple(layer.weight.detach().numpy() for layer in layers), tuple(layer.bias.detach().numpy() for layer in layers)
    )


@pytest.fixture
def queries(verifier):
    images = np.random.default_rng(0).integers(0, 256, (QUERIES, 1, 4, 4), dtype=np.uint8)
    labels = np.array([0, 1, 2, 0, 1])
    return QuerySet(images, labels, np.full(QUERIES, -1), {"scheme": "x"}, verifier)


def probabilities(count):
    raw = np.random.default_rng(1).random((count, QUERIES, CLASSES)).astype(np.float32)
    return raw / raw.sum(axis=-1, keepdims=True)


def test_the_verifier_computes_what_torch_computes(network, verifier):
    suspects = probabilities(6)
    with torch.no_grad():
        expected = network(torch.from_numpy(suspects).flatten(1)).softmax(dim=1)[:, 1].numpy()
    assert verifier(suspects) == pytest.approx(expected, abs=1e-6)
    assert verifier(suspects.reshape(2, 3, QUERIES, CLASSES)).shape == (2, 3)
    assert float(verifier(suspects[0])) == pytest.approx(expected[0], abs=1e-6)


def test_a_query_set_brings_its_verifier_along(queries, tmp_path):
    queries.save(tmp_path)
    loaded = QuerySet.load(tmp_path)
    answers = Answers(queries.labels, probabilities(1)[0])
    assert loaded.measure == "verifier"
    assert loaded.score(answers) == queries.score(answers) == float(queries.verifier(answers.probabilities))
    shifted = replace(queries.verifier, biases=(*queries.verifier.biases[:-1], np.ones(2, np.float32)))
    assert replace(queries, verifier=shifted).digest != queries.digest != replace(queries, verifier=None).digest


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (Answers(np.array([0, 1, 2, 3, 0])), "expected labels below 3, got 3"),
        (
            Answers(np.zeros(5, np.int64), np.full((5, 4), 0.25, np.float32)),
            "expected probabilities of 3 classes, got 4",
        ),
        (Answers(np.zeros(4, np.int64)), "expected answers to 5 queries, got 4"),
    ],
)
def test_answers_in_other_classes_are_refused(queries, answers, message):
    with pytest.raises(SuspectError, match=message):
        queries.score(answers)


def matrix(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ((), (), "expected layers that fit together and end in 2 outputs, got"),
        ((matrix(3, 15),), (matrix(3),), "and end in 2 outputs, got"),
        ((matrix(4, 15), matrix(2, 5)), (matrix(4), matrix(2)), "expected layers that fit together"),
        ((matrix(2, 15),), (matrix(3),), "expected a bias for each of .2., got"),
    ],
)
def test_layers_that_do_not_fit_are_refused(weights, biases, message):
    with pytest.raises(ValueError, match=message):
        Verifier(weights, biases)


def test_a_verifier_for_other_queries_is_refused(queries, verifier):
    with pytest.raises(ValueError, match="expected as many inputs for each of 4 queries, got 15"):
        QuerySet(queries.images[:4], queries.labels[:4], queries.negative_labels[:4], {}, verifier)
    with pytest.raises(ValueError, match="expected 15 probabilities a suspect, got 4 x 3"):
        verifier(matrix(4, 3))


def test_answers_are_kept_by_suspect(tmp_path):
    given = {"a/b": Answers(np.array([0, 1]), np.eye(2, dtype=np.float32)), "c": Answers(np.array([1, 1]))}
    AnswerTable(given).save(tmp_path / "answers.safetensors")
    loaded = AnswerTable.load(tmp_path / "answers.safetensors")
    assert set(loaded.answers) == {"a/b", "c"}
    assert loaded["a/b"].probabilities.tolist() == [[1, 0], [0, 1]]
    assert loaded["c"].labels.tolist() == [1, 1]
    assert loaded["c"].probabilities is None


def test_missing_and_damaged_answers(tmp_path):
    with pytest.raises(ArtifactError, match=r"expected the suspects' .*, found nothing; run `nf score none`"):
        AnswerTable.load(tmp_path / "none.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(ArtifactError, match=r"junk.safetensors is damaged \(.*; run `nf score junk` again"):
        AnswerTable.load(tmp_path / "junk.safetensors")
