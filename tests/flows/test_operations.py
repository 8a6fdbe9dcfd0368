"""The order of an operation: query sets and who has seen them are versioned, whatever else fails."""

import logging
import socket
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows import operations
from nf.core.errors import ArtifactError, NFError
from nf.monitoring import Observation, WatchedSuspect, Watchlist, append_history
from nf.stages.run import Run
from nf.stages.watch import watch_changes


@pytest.fixture
def done(monkeypatch):
    """Names of the tasks in the order in which they began; those in ``failing`` raise."""
    names, failing = [], set()

    def task(function, name, **options):
        def work(*arguments):
            names.append(name)
            if name in failing:
                raise NFError(f"{name} failed")
            return SimpleNamespace(digest="abc", query_set="abc", outcome="stolen", error=None, score=1.0)

        return work

    run = SimpleNamespace(
        profile=SimpleNamespace(schemes={"akh": {}}),
        stage=lambda name: nullcontext(),
        lock_stage=lambda name: nullcontext(),
        layout=SimpleNamespace(issued=Path("issued")),
    )
    monkeypatch.setattr(operations, "make_task", task)
    monkeypatch.setattr(operations, "_open", lambda profile: run)
    return names, failing


def test_a_set_is_versioned_before_it_is_logged(done):
    assert operations.refingerprint.fn() == "abc"
    assert done[0] == ["issue", "dvc", "mlflow"]


@pytest.mark.parametrize("failing", ["dvc", "mlflow"])
def test_neither_an_error_of_dvc_nor_one_of_mlflow_keeps_the_other_from_its_part(done, failing):
    done[1].add(failing)
    with pytest.raises(NFError, match=f"{failing} failed"):
        operations.refingerprint.fn()
    assert done[0] == ["issue", "dvc", "mlflow"]


@pytest.mark.parametrize(
    ("failing", "steps"),
    [
        (None, ["ask", "draw", "announce", "dvc", "mlflow"]),
        ("announce", ["ask", "draw", "announce", "dvc", "mlflow"]),
        ("dvc", ["ask", "draw", "announce", "dvc", "mlflow"]),
        ("draw", ["ask", "draw"]),
        ("ask", ["ask"]),
    ],
)
def test_who_has_seen_the_set_is_versioned_unless_a_file_is_damaged(done, monkeypatch, failing, steps):
    """Also if nobody can be told; what could not be read takes no good version's place."""
    listed, done_set = SimpleNamespace(suspects=[SimpleNamespace(name="shop")]), SimpleNamespace(digest="abc")
    monkeypatch.setattr(operations, "load_watchlist", lambda path: listed)
    monkeypatch.setattr(operations, "Ledger", lambda folder: SimpleNamespace(current=lambda: done_set))
    monkeypatch.setattr(operations, "benchmark_of", lambda run, digest: None)
    monkeypatch.setattr(operations, "open_watched", lambda suspect, folder: None)
    monkeypatch.setattr(operations, "watch_changes", lambda run, listed: ["a change"])
    monkeypatch.setattr(operations, "get_run_logger", lambda: logging.getLogger())
    if failing is not None:
        done[1].add(failing)
    with pytest.raises(NFError, match=f"{failing} failed") if failing else nullcontext():
        operations.watch.fn()
    assert done[0] == steps


def test_a_set_that_is_retired_meanwhile_ends_no_watch_and_is_said_once(monkeypatch, caplog):
    listed = SimpleNamespace(suspects=[SimpleNamespace(name=name) for name in ("shop", "bank", "mall")])
    sets, done = {"shop": "old", "bank": "new", "mall": "new"}, []

    def ask(run, suspect, folder):
        return SimpleNamespace(query_set=sets[suspect.name], outcome="stolen", error=None, score=1.0)

    monkeypatch.setattr(
        operations, "make_task", lambda _, name, **options: ask if name == "ask" else lambda *_: done.append(name)
    )
    monkeypatch.setattr(operations, "watch_changes", lambda run, listed: [])
    monkeypatch.setattr(operations, "get_run_logger", lambda: logging.getLogger())
    operations._watch(SimpleNamespace(layout=SimpleNamespace(issued=Path("issued"))), listed, "old", Path())
    assert done == ["draw", "dvc", "mlflow"]
    (line,) = caplog.messages
    assert line.startswith("the query set old was retired while this watch was at work: ")
    assert line.endswith("from bank on, suspects are asked with new")


def test_errors_that_nobody_counted_stop_all_before_a_suspect_sees_a_query(done, monkeypatch):
    def unknown(run, digest):
        raise NFError("nobody counted")

    monkeypatch.setattr(operations, "load_watchlist", lambda path: SimpleNamespace(suspects=["shop"]))
    monkeypatch.setattr(
        operations, "Ledger", lambda folder: SimpleNamespace(current=lambda: SimpleNamespace(digest=""))
    )
    monkeypatch.setattr(operations, "benchmark_of", unknown)
    with pytest.raises(NFError, match="nobody counted"):
        operations.watch.fn()
    assert done[0] == []


@pytest.mark.parametrize("damaged", ["shop.jsonl", "announced.json"])
def test_a_damaged_history_stops_all_before_a_suspect_sees_a_query(done, monkeypatch, tmp_path, damaged):
    """What the suspect answers could not be written down."""
    (tmp_path / damaged).write_text("{")
    operations._open(None).layout.watch = tmp_path
    listed = SimpleNamespace(suspects=[SimpleNamespace(name="shop")])
    monkeypatch.setattr(operations, "load_watchlist", lambda path: listed)
    monkeypatch.setattr(
        operations, "Ledger", lambda folder: SimpleNamespace(current=lambda: SimpleNamespace(digest=""))
    )
    monkeypatch.setattr(operations, "benchmark_of", lambda run, digest: None)
    monkeypatch.setattr(operations, "open_watched", lambda suspect, folder: None)
    with pytest.raises(ArtifactError, match=damaged):
        operations.watch.fn()
    assert done[0] == []


def test_a_change_stays_to_be_announced_until_the_webhook_took_it(monkeypatch, tmp_path):
    """A real address where nobody listens: the next run must try again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("NF_WEBHOOK_URL", f"http://127.0.0.1:{port}/")
    run = Run.open("smoke", params=Path(__file__).parents[2] / "params.yaml", out=tmp_path)
    seen = Observation("2026-11-01T03:00:00+00:00", "a" * 64, score=1.0, threshold=0.5, outcome="stolen")
    append_history(run.layout.watch / "shop.jsonl", seen)
    listed = Watchlist((WatchedSuspect("shop", onnx="shop.onnx"),))
    (change,) = watch_changes(run, listed)
    with pytest.raises(NFError, match=r"webhook at 127\.0\.0\.1"):
        operations._announce(run, change)
    assert watch_changes(run, listed) == [change]
