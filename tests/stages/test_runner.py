"""How parts are made: in turn, beside each other, again where settings differ; and what is missing for which reason."""

import os
from functools import partial
from pathlib import Path

import pytest

from nf.core.errors import ArtifactError, NFError
from nf.stages.costs import CostLog, Utilisation
from nf.stages.deadline import Deadline, OutOfTimeError
from nf.stages.graph import Part
from nf.stages.run import Run
from nf.stages.runner import OUT_OF_TIME, make_parts

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def made(tmp_path):
    """Make parts in a run of their own; returns what is missing."""

    def make(*parts, deadline=None, begun=lambda name: None):
        run = Run.open("gpu-smoke", params=ROOT / "params.yaml", out=tmp_path)
        costs = CostLog(run, Utilisation())
        return make_parts(run, parts, deadline or Deadline(), costs, begun=begun)

    return make


@pytest.fixture
def part(tmp_path):
    """A part that makes an empty file of its name, unless told otherwise."""

    def make(name, make=None, *needs, **more):
        path = tmp_path / name
        return Part(name, path, make or path.touch, needs=needs, **more)

    return make


def fail(error):
    raise error


def test_a_process_that_dies_holds_up_those_alone_that_need_it(made, part, tmp_path):
    missing = made(
        part("a", partial(os._exit, 1), beside=True),
        part("b", partial(Path.touch, tmp_path / "b"), "a", beside=True),
        part("c", partial(Path.touch, tmp_path / "c"), beside=True),
        part("d", None, "c"),
    )
    assert missing == {
        "a": "the process in which it was made died; it may have been short of memory",
        "b": "needs a, which is missing",
    }
    assert (tmp_path / "c").exists()
    assert (tmp_path / "d").exists()


def test_what_was_made_with_other_settings_is_made_again(made, part, tmp_path):
    times = []

    def make(**settings):
        (tmp_path / "a").touch()
        times.append(settings)

    for steps in (1, 1, 2, 2, 1):
        assert made(part("a", partial(make, steps=steps), settings={"steps": steps})) == {}
    assert times == [{"steps": 1}, {"steps": 2}, {"steps": 1}]


def test_what_is_there_is_not_begun(made, part):
    begun = []
    for _ in range(2):
        assert made(part("a"), part("b", None, "a"), begun=begun.append) == {}
    assert begun == ["a", "b"]


def test_time_that_is_over_lets_nothing_begin_and_hides_no_failure(made, part):
    parts = (part("a"), part("b", None, "a"))
    assert made(*parts, deadline=Deadline(0)) == {"a": OUT_OF_TIME, "b": OUT_OF_TIME}
    failed = (part("c", partial(fail, NFError("no space"))), part("d", partial(fail, OutOfTimeError())))
    assert made(*failed, part("e", None, "d", "c")) == {
        "c": "no space",
        "d": OUT_OF_TIME,
        "e": "needs c, which is missing",
    }


def test_a_part_is_tried_with_what_there_is_of_those_that_need_not_be_whole(made, part, tmp_path):
    cut = part("zoo", partial(fail, OutOfTimeError()))
    tried = part("queries", None, "zoo", partly=frozenset({"zoo"}))
    assert made(cut, tried) == {"zoo": OUT_OF_TIME}
    assert (tmp_path / "queries").exists()
    short = part("more", partial(fail, ArtifactError("a model is missing")), "zoo", partly=frozenset({"zoo"}))
    assert made(cut, short) == {"zoo": OUT_OF_TIME, "more": OUT_OF_TIME}  # it is time that the model lacks
    assert made(part("whole"), part("other", short.make, "whole")) == {"other": "a model is missing"}
    unusable = part("third", partial(fail, NFError("too few queries")), "zoo", partly=frozenset({"zoo"}))
    assert made(cut, unusable) == {"zoo": OUT_OF_TIME, "third": "too few queries"}


def test_a_bug_keeps_its_traceback_and_nothing_further_begins(made, part, tmp_path):
    with pytest.raises(ZeroDivisionError):
        made(part("a", lambda: 1 / 0), part("b"))
    assert not (tmp_path / "b").exists()


def test_work_ends_between_two_steps_once_the_deadline_has_passed():
    seen = []
    watched = Deadline(0).watched(lambda *step: seen.append(step))
    with pytest.raises(OutOfTimeError):
        watched(1, 2, "half")
    watched(2, 2, "whole")  # there is nothing left to end
    Deadline().watched(lambda *step: seen.append(step))(1, 2, "in time")
    assert seen == [(1, 2, "half"), (2, 2, "whole"), (1, 2, "in time")]
