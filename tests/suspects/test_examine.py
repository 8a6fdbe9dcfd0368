"""Suspects that are not what they are said to be, and suspects that are asked otherwise."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from nf.cli.verify import verify
from nf.core.answers import Answers
from nf.core.controls import Controls
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.interface import Interface, parse_input
from nf.core.queries import QuerySet
from nf.suspects import IsolatedSuspect, OnnxSuspect, examine
from nf.suspects.readings import fit_classes

Write = Callable[[str | onnx.ModelProto], Path]
RNG = np.random.default_rng(4)


class Suspect:
    """Answers labels by a function of the images, and notes what it was asked."""

    output = "labels"

    def __init__(self, answer: Callable[[NDArray[np.uint8]], NDArray[np.int64]]) -> None:
        self.answer, self.asked = answer, []

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        self.asked.append(images)
        return self.answer(images)


def truth(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of an image is its first pixel."""
    return images[:, 0, 0, 0].astype(np.int64)


@pytest.fixture
def queries(graded: QuerySet) -> QuerySet:
    return graded


def test_controls_and_queries_go_out_mixed_and_come_back_in_order(queries: QuerySet) -> None:
    suspect = Suspect(truth)
    examined = examine(suspect, queries)
    assert examined.answers.labels.tolist() == queries.labels.tolist()
    assert examined.sense == 1.0
    assert examined.found is not None
    assert (examined.found.right, examined.found.controls) == (48, 48)
    mixed = suspect.asked[-1]
    of_query = [(queries.images == image).all(axis=(1, 2, 3)).any() for image in mixed]
    assert sum(of_query) == 30
    assert len(mixed) == 78
    assert sum(a != b for a, b in pairwise(of_query)) > 10  # no block of either
    examine(suspect, queries)
    assert (suspect.asked[-1] != mixed).any()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda images: np.ones(len(images), np.int64), "it gives every control image the same class"),
        (lambda images: RNG.integers(0, 3, len(images)), "of the control images otherwise when asked again"),
        (lambda images: images[:, 0, 1, 1].astype(np.int64) % 3, "of 48 control images right in the best of"),
    ],
    ids=["constant", "random", "another task"],
)
def test_without_sense_there_is_no_verdict_and_no_query_is_sent(
    queries: QuerySet, answer: Callable[[NDArray[np.uint8]], NDArray[np.int64]], reason: str
) -> None:
    suspect, announced = Suspect(answer), []
    with pytest.raises(NoVerdictError, match=reason):
        examine(suspect, queries, before_queries=lambda: announced.append(True))
    sent = {image.tobytes() for images in suspect.asked for image in images}
    assert sent.isdisjoint(image.tobytes() for image in queries.images)
    assert not announced


def test_answers_of_no_form_are_shown(queries: QuerySet, write: Write, linear: str) -> None:
    more = replace(queries, card={**queries.card, "num_classes": 5})
    shown = r"names of 5 classes, as the source model has, got 'logits' of float32 and shape \(N, 3\)"
    with pytest.raises(SuspectError, match=shown):
        examine(IsolatedSuspect(write(linear), "logits"), more)
    lost = linear.replace("MatMul (flat, w)", "ReduceSum <keepdims = 1> (flat)").replace("[N,3]", "[K,L]")
    alone = (
        r"expected an output of shape \(\d+, classes\) for \d+ images, got 'logits' of float32 and shape \(1, 1\); ex"
    )
    with pytest.raises(SuspectError, match=alone):
        examine(IsolatedSuspect(write(lost), "logits"), queries)
    turned = linear.replace("= MatMul (flat, w)", "= MatMul (flat, w)\n logits = Transpose (scores)")
    turned = turned.replace("logits = MatMul", "scores = MatMul").replace("[N,3]", "[3,N]")
    shown = (
        r"got 'logits' of float32 and shape \(3, \d+\); export it transposed, with an answer for each image along the"
    )
    with pytest.raises(SuspectError, match=shown):
        examine(IsolatedSuspect(write(turned), "logits"), queries)


def test_the_queries_are_announced_before_they_are_sent(queries: QuerySet) -> None:
    suspect, asked = Suspect(truth), []
    examine(suspect, queries, before_queries=lambda: asked.extend(suspect.asked))
    assert 0 < len(asked) < len(suspect.asked)


def test_classes_in_another_order_are_found(queries: QuerySet) -> None:
    order = np.array([2, 0, 1])
    examined = examine(Suspect(lambda images: order[truth(images)]), queries)
    assert examined.answers.labels.tolist() == queries.labels.tolist()
    assert examined.found is not None
    assert examined.found.how.classes == (1, 2, 0)


def test_a_suspect_that_changes_when_queries_come_gets_no_verdict(queries: QuerySet) -> None:
    def answer(images: NDArray[np.uint8]) -> NDArray[np.int64]:
        return truth(images) if len(images) <= 48 else np.zeros(len(images), np.int64)

    with pytest.raises(NoVerdictError, match="67% of the control images otherwise when they are asked among queries"):
        examine(Suspect(answer), queries)


def test_neither_class_on_the_queries_is_no_verdict(queries: QuerySet) -> None:
    known = {image.tobytes() for image in queries.images}

    def answer(images: NDArray[np.uint8]) -> NDArray[np.int64]:
        odd = np.array([image.tobytes() in known for image in images])
        return np.where(odd, (truth(images) + 2) % 3, truth(images))

    with pytest.raises(NoVerdictError, match="on 0% of the queries, fewer than 50%: it does not understand them"):
        examine(Suspect(answer), queries)
    without = replace(queries, negative_labels=np.full(30, -1))
    assert examine(Suspect(answer), without).sense is None


def test_a_set_without_controls_is_asked_as_before(queries: QuerySet) -> None:
    suspect = Suspect(truth)
    examined = examine(suspect, replace(queries, controls=None))
    assert examined.found is None
    assert [len(images) for images in suspect.asked] == [30]
    shifted = Suspect(lambda images: truth(images) + 1)
    assert examine(shifted, replace(queries, controls=None), Interface(offset=1)).sense == 1.0


def test_distances_have_their_best_class_lowest(queries: QuerySet, learned: str, write: Write) -> None:
    path = write(learned.replace("[N,3] logits", "[N,3] far").replace("\n    }", "\n        far = Neg (logits)\n    }"))
    near = IsolatedSuspect(path, "logits")
    found = examine(near, queries)
    assert found.found is not None
    assert (found.found.how.kind, found.found.right) == ("distances", 48)
    assert found.answers.labels.tolist() == queries.labels.tolist()
    stated = replace(near, interface=Interface(kind="distances"))
    without = replace(queries, controls=None)
    assert examine(stated, without, stated.interface).answers.labels.tolist() == queries.labels.tolist()
    with pytest.raises(NoVerdictError, match="does not understand them"):
        examine(near, without)  # nobody says so


def test_an_order_of_classes_needs_more_than_luck() -> None:
    labels = np.arange(40) % 10
    assert fit_classes(RNG.integers(0, 10, 40), labels, 10, 10) is None
    assert fit_classes((labels + 3) % 10, labels, 10, 10) == tuple((np.arange(10) - 3) % 10)


@pytest.mark.parametrize(("usual", "doubtful"), [(None, False), (40, False), (41, True)])
def test_a_suspect_that_gets_fewer_controls_right_than_nearly_all_calibration_models_is_doubted(
    queries: QuerySet, tmp_path: Path, write: Write, learned: str, usual: int | None, doubtful: bool
) -> None:
    assert queries.controls is not None
    labels = queries.controls.labels.copy()
    labels[:8] = (labels[:8] + 1) % 3  # a suspect that gives images the class of their first pixel gets 40 of 48 right
    controls = replace(queries.controls, labels=labels, usual=usual)
    replace(queries, controls=controls).save(tmp_path / "queries")
    done = _verify(write(learned), "--queries", tmp_path / "queries", "--input", "unit")
    assert "40 of 48 right" in done.output
    assert (
        "doubt          it gets 40 control images right where 9 in 10 calibration models get 41" in done.output
    ) == doubtful
    record = json.loads(_verify(write(learned), "--queries", tmp_path / "queries", "--input", "unit", "--json").output)
    assert ("doubt" in record["asked"]["controls"]) == doubtful
    other = shutil.copy(write(learned), tmp_path / "other.onnx")
    several = _verify(write(learned), other, "--queries", tmp_path / "queries", "--input", "unit").output
    assert ("40 of 48 controls right, fewer than nine in ten calibration models" in several) == doubtful


@pytest.mark.parametrize(("honest", "cautious"), [(None, False), (0.96, False), (0.8, True)])
def test_a_set_made_with_weak_honest_models_says_so_beside_each_verdict(
    queries: QuerySet, tmp_path: Path, write: Write, learned: str, honest: float | None, cautious: bool
) -> None:
    assert queries.controls is not None
    replace(queries, controls=replace(queries.controls, source_accuracy=1.0, honest_accuracy=honest)).save(
        tmp_path / "queries"
    )
    line = "caution        the better honest calibration models get 80% of the test images right, the source 100%"
    arguments = "--queries", tmp_path / "queries", "--input", "unit"
    assert (line in _verify(write(learned), *arguments).output) == cautious
    record = json.loads(_verify(write(learned), *arguments, "--json").output)
    assert ("caution" in record["asked"]["controls"]) == cautious
    other = shutil.copy(write(learned), tmp_path / "other.onnx")
    assert _verify(write(learned), other, *arguments).output.count(line) == cautious


@pytest.mark.parametrize(("best", "refused"), [(None, False), (45, False), (40, True)])
def test_a_suspect_better_than_all_honest_models_of_the_calibration_is_not_judged_by_them(
    queries: QuerySet, best: int | None, refused: bool
) -> None:
    """It gets 48 of 48: within two standard errors of 45, and beyond those of 40."""
    assert queries.controls is not None
    suspect = Suspect(truth)
    asked = replace(queries, controls=replace(queries.controls, best=best))
    if not refused:
        assert examine(suspect, asked).found is not None
        return
    with pytest.raises(NoVerdictError, match=r"gets 48 of 48 control images right, where .* gets 40 of 48: no error"):
        examine(suspect, asked)
    sent = np.concatenate(suspect.asked)
    assert not any((image == query).all() for image in sent for query in queries.images)


def _verify(*arguments: object) -> Any:
    return CliRunner().invoke(verify, [str(argument) for argument in arguments], catch_exceptions=False)


def test_the_command_says_how_it_asked(queries: QuerySet, learned: str, write: Write, tmp_path: Path) -> None:
    queries.save(tmp_path / "queries")
    last = learned.replace("float[N,1,4,4] images", "float[N,4,4,1] last").replace(
        "scale =", "images = Transpose <perm = [0, 3, 1, 2]> (last) scale ="
    )
    done = _verify(write(last), "--queries", tmp_path / "queries")
    assert done.exit_code == 1
    assert done.output.startswith("verdict        STOLEN\nindependent    p = ")
    assert "asked as       nhwc,float32,range=0/1,kind=logits" in done.output
    assert "controls       48 of 48 right" in done.output
    record = json.loads(_verify(write(last), "--queries", tmp_path / "queries", "--json", "--input", "unit").output)
    assert record["asked"]["interface"]["layout"] == "nhwc"
    assert record["asked"]["stated"] == ["mean", "range", "std"]
    assert record["asked"]["controls"]["right"] == 48


def test_the_command_ends_with_3_where_there_is_no_verdict(
    queries: QuerySet, learned: str, write: Write, tmp_path: Path
) -> None:
    queries.save(tmp_path / "queries")
    suspect = write(learned)
    done = _verify(suspect, "--queries", tmp_path / "queries", "--input", "inverted")
    assert done.exit_code == 3
    assert "verdict        NO VERDICT" in done.output
    assert "every control image the same class" in done.output
    record = _verify(suspect, "--queries", tmp_path / "queries", "--input", "inverted", "--json")
    assert record.exit_code == 3
    assert json.loads(record.output)["stolen"] is None


def test_a_suspect_in_a_process_of_its_own_answers_as_in_this_one(
    queries: QuerySet, learned: str, write: Write
) -> None:
    path = write(learned)
    examined = examine(IsolatedSuspect(path, "logits"), queries)
    assert examined.answers.labels.tolist() == OnnxSuspect(path)(queries.images).argmax(axis=1).tolist()
    named = IsolatedSuspect(path, "logits", interface=Interface(output_name="nothing"))
    with pytest.raises(SuspectError, match="expected one of the outputs 'logits', got 'nothing'"):
        examine(named, queries)


def test_ways_of_asking_that_controls_do_not_tell_apart_give_no_verdict(queries: QuerySet) -> None:
    """Both are right on the controls but for one image, and on either side of the threshold."""

    class Undecided(Suspect):
        interface = Interface()

        def find(self, controls: Controls, num_classes: int) -> Any:
            from nf.suspects.probe import Found

            how, rival = parse_input("unit"), parse_input("signed")
            return Found(how, 48, 48, 2, tuple(truth(controls.images).tolist()), (rival,))

        def ask(self, images: NDArray[np.uint8], hows: Any) -> Any:
            right = truth(images)
            return [{"y": np.eye(3, dtype=np.float32)[right]}, {"y": np.eye(3, dtype=np.float32)[(right + 1) % 3]}]

    with pytest.raises(NoVerdictError, match=r"scores 1\.000 asked as .* and 0\.000 asked as .* do not tell which"):
        examine(Undecided(truth), queries)
    lenient = replace(queries, card={**queries.card, "threshold": 0.0})
    assert examine(Undecided(truth), lenient).answers.labels.tolist() == Answers(queries.labels).labels.tolist()

    def claim(answers: Answers) -> str:
        return "stolen" if (answers.labels == queries.labels).all() else "not shown"

    # What would be claimed counts, and not the side of the threshold.
    with pytest.raises(NoVerdictError, match=r"which is stolen and not shown, and .* do not tell which"):
        examine(Undecided(truth), lenient, claim=claim)
    assert examine(Undecided(truth), queries, claim=lambda answers: "not shown").answers.labels.tolist()
