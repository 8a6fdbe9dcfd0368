"""Lines of progress where there is no terminal."""

import pytest

from nf.core import progress
from nf.core.progress import show_progress


@pytest.fixture
def clock(monkeypatch):
    """The time, in a list of one number."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_time_left_leaves_out_what_came_before_the_first_step(clock, capsys):
    with show_progress("zoo") as report:
        clock[0] = 100.0
        report(1, 5, "source")
        clock[0] = 120.0
        report(2, 5, "mirror")
        clock[0] = 180.0
        report(5, 5, "last")
        clock[0] = 200.0
        report(1, 5, "another round")
        clock[0] = 230.0
        report(2, 5, "its second")
    assert capsys.readouterr().err.splitlines() == [
        "zoo: 1/5 source (100 s)",
        "zoo: 2/5 mirror (120 s, about 60 s left)",
        "zoo: 5/5 last (180 s)",
        "zoo: 1/5 another round (200 s)",
        "zoo: 2/5 its second (230 s, about 90 s left)",
    ]
