"""The simulation behind docs/scaling.md, against schedules worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import scaling
from benchmarks.scaling import Work
from nf.core.files import read_json

# a takes 4 s, then its children b (3 s) and c (2 s); d (5 s) waits for nobody; e (1 s) waits for c.
GRAPH = {"a": Work(4), "b": Work(3, "a"), "c": Work(2, "a"), "d": Work(5), "e": Work(1, "c")}


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (1, 15),  # the sum
        (2, 8),  # a and d at 0; b at 4 until 7; c at 5 until 7; e until 8
        (3, 7),  # a and d at 0; b and c at 4; e at 6: the longest chains, a-b and a-c-e, take 7
        (100, 7),
    ],
)
def test_by_hand(workers, expected):
    assert scaling.makespan(GRAPH, workers) == expected


def test_the_dispatcher_serves_one_task_after_another():
    """Three tasks of 1 s at 0.5 s each to send: they start at 0.5, 1.0 and 1.5; on one worker each costs 1.5 s."""
    tasks = {name: Work(1) for name in "abc"}
    assert scaling.makespan(tasks, 3, dispatch=0.5) == 2.5
    assert scaling.makespan(tasks, 1, dispatch=0.5) == 4.5


@st.composite
def graphs(draw):
    seconds = draw(st.lists(st.integers(1, 20), min_size=1, max_size=25))
    parents = [draw(st.none() | st.integers(0, number - 1)) if number else None for number in range(len(seconds))]
    return {
        str(number): Work(value, None if parent is None else str(parent))
        for number, (value, parent) in enumerate(zip(seconds, parents, strict=True))
    }


@given(graphs(), st.integers(1, 8))
def test_within_the_bounds_of_every_greedy_schedule(tasks, workers):
    """At least the mean load and the longest chain; at most both together (Graham, 1969)."""
    total, chain = sum(work.seconds for work in tasks.values()), scaling.critical_path(tasks)
    found = scaling.makespan(tasks, workers)
    assert max(total / workers, chain) <= found <= total / workers + chain
    assert scaling.makespan(tasks, 1) == total
    assert scaling.makespan(tasks, len(tasks)) == chain


def test_no_workers_and_tasks_out_of_order():
    with pytest.raises(ValueError, match="workers: expected at least 1, got 0"):
        scaling.makespan(GRAPH, 0)
    with pytest.raises(ValueError, match="'b': expected 'a' before it, which it waits for"):
        scaling.makespan({"b": Work(1, "a"), "a": Work(1)}, 1)


def test_the_page_says_what_the_record_says():
    text = scaling.PAGE.read_text()
    assert scaling.rendered(text, read_json(scaling.RECORD)) == text
