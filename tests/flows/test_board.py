"""What a run says of itself: the time left, the lines, and the page that fills."""

import re
from types import SimpleNamespace

import pytest

from flows import board as module
from flows.board import Board, seconds_left
from nf.core.files import write_json
from nf.core.progress import read_line, show_progress

AWAITED = {"page": ["queries"], "data": [], "zoo": ["data"], "gan": ["data"], "queries": ["zoo", "gan"]}
SECONDS = {"data": 5.0, "zoo": 100.0, "gan": 40.0, "queries": 30.0, "page": 2.0}


@pytest.mark.parametrize(
    ("workers", "changed", "running", "left"),
    [
        (2, {}, [], 137.0),  # data, then zoo beside gan, then the rest
        (1, {}, [], 177.0),
        (2, {"data": 0.0, "zoo": 70.0}, ["data", "zoo"], 102.0),
        (2, {"data": 0.0, "zoo": 0.0, "gan": 0.0, "queries": 0.0}, list(SECONDS)[:4], 2.0),
        (1, dict.fromkeys(SECONDS, 0.0), list(SECONDS), 0.0),
    ],
)
def test_the_time_left_is_that_of_stages_side_by_side(workers, changed, running, left):
    assert seconds_left(AWAITED, SECONDS | changed, running, workers) == left


@pytest.fixture
def board(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    write_json(tmp_path / "results" / "small.json", {"seconds": {"data": 9.0, "gan": 300.0, "queries": 60.0}})
    write_json(tmp_path / "out" / "small" / "timings.json", {"data": 5.0})
    profile = SimpleNamespace(name="small", seconds={"zoo": 600.0, "gan": 240.0}, gans=["sagan"], schemes=["akh"])
    return Board(profile, AWAITED, 2)


def test_what_is_known_of_this_machine_goes_before_what_was_planned_and_that_before_the_record(board, capsys):
    said = capsys.readouterr().out.splitlines()
    # 5 here, 600 planned, 60 on record; 20 for the page, of which nothing is known.
    assert said[0] == "5 stages to make for the profile small, about 11 min 25 s"
    assert said[1] == f"follow it in a browser: {board.page.as_uri()}"
    assert "0 of 5 stages are done, about 11 min 25 s left" in board.page.read_text()


def test_lines_of_the_stage_are_shown_and_those_of_dvc_about_itself_are_not(board, capsys):
    board.begin("zoo")
    capsys.readouterr()
    for line in (
        "Running stage 'zoo':",
        "> python -m flows stage zoo --profile small",
        "Updating lock file 'dvc.lock'",
        "To track the changes with git, run:",
        "\tgit add dvc.lock",
        "Use `dvc push` to send your updates to remote storage.",
        "",
        "zoo: 10/40 noise-3-source (30 s, about 90 s left)",
        "ERROR: failed to reproduce 'zoo'",
    ):
        board.line("zoo", f"{line}\n")
    assert capsys.readouterr().out.splitlines() == [
        "zoo: 10/40 noise-3-source (30 s, about 90 s left)",
        "ERROR: failed to reproduce 'zoo'",
    ]


def test_the_time_left_follows_what_a_stage_says_of_itself(board, capsys):
    board.begin("data")
    board.end("data", failed=False)
    board.begin("zoo")
    board.begin("gan")
    board.end("gan", failed=False)
    board.line("zoo", "zoo: 10/40 noise-3-source (30 s, about 90 s left)\n")
    assert board._left() == pytest.approx(90 + 60 + 20, abs=1)
    capsys.readouterr()
    board.end("zoo", failed=False)
    assert re.fullmatch(r"zoo: done after 0\.\d s; about 1 min 20 s left\n", capsys.readouterr().out)


def test_the_page_fills_and_at_last_is_read_no_more(board, capsys):
    assert "location.reload()" in board.page.read_text()
    folder = board.page.parent / "gan" / "sagan"
    (folder / "samples").mkdir(parents=True)
    (folder / "samples" / "step-000060.png").touch()
    board.begin("gan")
    assert '<img class="sheet" src="gan/sagan/samples/step-000060.png"' in board.page.read_text()  # while it trains
    (board.page.parent / "fingerprints" / "akh").mkdir(parents=True)
    (board.page.parent / "fingerprints" / "akh" / "sheet.png").touch()
    board.end("gan", failed=True)
    page = board.page.read_text()
    assert "0 of 5 stages are done; gan failed, and the terminal says why" in page
    assert '<img class="sheet" src="fingerprints/akh/sheet.png"' in page
    board.close()
    assert "location.reload()" not in board.page.read_text()
    assert "gan: failed after" in capsys.readouterr().out


def test_a_run_that_is_done_or_was_ended_says_so(board):
    board.close()
    assert "0 of 5 stages are done; the run has ended, and the same command goes on" in board.page.read_text()
    for name in AWAITED:
        board.begin(name)
        board.end(name, failed=False)
    board.close()
    assert "All is done: 5 stages" in board.page.read_text()


def test_a_page_that_cannot_be_written_stops_nothing(board):
    board.page.unlink()
    board.page.mkdir()
    board.begin("data")
    board.end("data", failed=False)


def test_a_line_of_progress_is_read_as_it_is_written(capsys, monkeypatch):
    monkeypatch.setattr("nf.core.progress._SECONDS_BETWEEN_LINES", 0.0)
    with show_progress("gan@sagan") as progress:
        progress(0, 10, "begun")
        progress(5, 10, "loss 0.3, about (half)")
        progress(10, 10, "the last")
    steps = [read_line(line) for line in capsys.readouterr().err.splitlines()]
    assert [(step.done, step.total) for step in steps] == [(0, 10), (5, 10), (10, 10)]
    assert [step.seconds_left is None for step in steps] == [True, False, True]
    assert read_line("ERROR: failed to reproduce 'zoo': 3/4") is None
