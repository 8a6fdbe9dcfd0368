import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from nf.core.calibration import Calibration, CalibrationModel, Levels, Look
from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import read_json, write_json
from nf.core.paths import METRICS_FILE
from nf.core.queries import QuerySet
from nf.monitoring import IssuedSet, Ledger, Observation, WatchedSuspect, Watchlist, append_history, read_history
from nf.stages.run import Run
from nf.stages.watch import benchmark_of, draw_watch, mark_announced, watch_changes, watch_suspect

PARAMS = Path(__file__).parents[2] / "params.yaml"


ISSUED_AT = "2026-11-01T03:00:00+00:00"
SHOP = WatchedSuspect("shop", address="http://127.0.0.1:9/v2/models/shop", token_from="NO_SUCH_TOKEN")


@pytest.mark.parametrize(
    ("threshold", "suspect", "error", "message"),
    [
        (2.0, SHOP, ArtifactError, r"expected a threshold in \[0, 1\], got 2.0"),
        (0.5, SHOP, ConfigError, "token: expected one in the environment variable NO_SUCH_TOKEN, found none"),
        (0.5, WatchedSuspect("file", onnx="file.onnx"), ConfigError, "expected a folder for temporary files"),
    ],
)
def test_what_is_amiss_on_the_owners_side_spends_no_queries(tmp_path, monkeypatch, threshold, suspect, error, message):
    def full() -> str:
        raise FileNotFoundError

    monkeypatch.setattr("tempfile.gettempdir", full)
    run = issue(tmp_path, threshold)
    with pytest.raises(error, match=message):
        watch_suspect(run, suspect, tmp_path)
    assert Ledger(run.layout.issued).current().status == "fresh"


def issue(folder, threshold, seed=0):
    """A run with a query set in use, which differs with the seed."""
    run = Run.open("smoke", params=PARAMS, out=folder)
    ledger = Ledger(run.layout.issued)
    card = {"scheme": "naturalfinger", "threshold": threshold}
    queries = QuerySet(np.full((2, 1, 4, 4), seed, np.uint8), np.zeros(2, np.int64), np.ones(2, np.int64), card)
    queries.save(ledger.folder(queries.digest))
    ledger.issue(IssuedSet(queries.digest, "naturalfinger", seed, ISSUED_AT))
    return run


@contextmanager
def breaking_server(look):
    """A server on loopback that calls ``look`` at every request and answers with an error; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            look()
            self.send_error(500)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v2/models/shop"
        finally:
            server.shutdown()
            thread.join()


def test_the_ledger_knows_of_a_suspect_before_the_first_request_reaches_it(tmp_path):
    """Also if no answer comes: what has left the house is spent."""
    run = issue(tmp_path, 0.5)
    ledger, seen = Ledger(run.layout.issued), []
    with breaking_server(lambda: seen.append(set(ledger.current().seen_by))) as address:
        observation = watch_suspect(run, WatchedSuspect("shop", address=address), tmp_path)
    assert seen == [{"shop"}]
    assert observation.outcome is None
    assert "500" in observation.error
    assert set(ledger.current().seen_by) == {"shop"}


def test_a_suspect_is_asked_with_the_new_set_where_the_old_one_is_retired_before_the_first_query(tmp_path, monkeypatch):
    """As while control images were asked; it never sees the old set."""
    run = issue(tmp_path, 0.5)
    ledger, looked_up = Ledger(run.layout.issued), []

    def check(queries):
        looked_up.append(queries.digest)
        if len(looked_up) == 1:
            issue(tmp_path, 0.5, seed=1)

    monkeypatch.setattr("nf.stages.watch.check_card", check)
    with breaking_server(lambda: None) as address:
        observation = watch_suspect(run, WatchedSuspect("shop", address=address), tmp_path)
    old, new = ledger.sets()
    assert looked_up == [old.digest, new.digest]
    assert (old.status, dict(old.seen_by)) == ("retired", {})
    assert set(new.seen_by) == {"shop"}
    assert read_history(run.layout.watch / "shop.jsonl") == (observation,)
    assert observation.query_set == new.digest


LEVELS = Levels(0.01, 0.05)
LISTED = Watchlist((WatchedSuspect("shop", onnx="a"), WatchedSuspect("bank", onnx="b")))


@pytest.fixture
def watched(tmp_path):
    """A run with a calibrated query set in use, its metrics, and a verdict on each of two suspects."""
    run = Run.open("smoke", params=PARAMS, out=tmp_path)
    models = (CalibrationModel("m", "independent", "train", "m"),)
    queries = QuerySet(
        np.zeros((2, 1, 4, 4), np.uint8),
        np.zeros(2, np.int64),
        np.ones(2, np.int64),
        {"scheme": "naturalfinger", "threshold": 0.5},
        calibration=Calibration(models, (Look(2, (1.0, 1.0), 0.0, (0.0,)),), LEVELS, 9, 5),
    )
    ledger = Ledger(run.layout.issued)
    queries.save(ledger.folder(queries.digest))
    counts = {"independent_accused": (1, 91), "trained_accused": (2, 15), "missed": (3, 63)}
    verdicts = {name: {"count": count, "total": total} for name, (count, total) in counts.items()}
    verdicts["thieves"] = {"prune": {"suspects": 63, "accused": 60, "stolen": 50}}
    metrics = {"query_set": queries.digest, "threshold": 0.5, "calibration": queries.calibration.digest}
    write_json(ledger.folder(queries.digest) / METRICS_FILE, {**metrics, "verdicts": verdicts})
    ledger.issue(IssuedSet(queries.digest, "naturalfinger", 0, ISSUED_AT))
    for name, value in (("shop", 1e-6), ("bank", 0.009)):
        seen = Observation(ISSUED_AT, queries.digest, 0.9, 0.5, "stolen", 0.8, value, value, LEVELS)
        append_history(run.layout.watch / f"{name}.jsonl", seen)
    return run, queries.digest


def test_page_record_and_announcement_say_the_same_corrected_outcome(watched):
    run, _ = watched
    page = draw_watch(run, LISTED).read_text()
    assert "Of 2 suspects 1 is stolen, at levels of 1% and 5%" in page
    record = read_json(run.layout.watch / "verdicts.json")
    assert [each["outcome"] for each in record["suspects"]] == ["stolen", "not shown"]
    assert record["suspects"][1]["p_values"]["independent"] == {"raw": 0.009, "corrected": pytest.approx(0.018)}
    assert record["benchmark"]["trained_accused"]["count"] == 2
    (change,) = watch_changes(run, LISTED)
    assert (change.suspect, change.to_json()["outcome"]) == ("shop", "stolen")
    assert change.to_json()["benchmark"] == record["benchmark"]
    mark_announced(run, change)
    assert watch_changes(run, LISTED) == []
    assert read_json(run.layout.watch / "announced.json") == {"outcomes": {"shop": "stolen"}}


def test_what_was_announced_of_a_suspect_that_is_called_like_the_seal_of_a_file_is_kept(watched):
    run, _ = watched
    listed = Watchlist((WatchedSuspect("seal", onnx="a"),))
    (run.layout.watch / "shop.jsonl").rename(run.layout.watch / "seal.jsonl")
    (change,) = watch_changes(run, listed)
    mark_announced(run, change)
    assert watch_changes(run, listed) == []


def test_what_was_announced_before_levels_is_read(watched):
    run, _ = watched
    write_json(run.layout.watch / "announced.json", {"shop": True, "bank": False})
    (change,) = watch_changes(run, LISTED)
    assert (change.previous, change.verdict.outcome) == ("stolen or trained on your data", "stolen")
    write_json(run.layout.watch / "announced.json", {"shop": "guilty"})
    with pytest.raises(ArtifactError, match=r"announced\.json: expected some of stolen, .*got 'guilty'; move it away"):
        watch_changes(run, LISTED)


def test_errors_that_nobody_counted_keep_no_change_from_being_told(watched):
    run, digest = watched
    (Ledger(run.layout.issued).folder(digest) / METRICS_FILE).unlink()
    (change,) = watch_changes(run, LISTED)
    assert change.to_json()["benchmark"] is None
    with pytest.raises(ArtifactError, match="or issue a new query set with `refingerprint`"):
        benchmark_of(run, digest)
