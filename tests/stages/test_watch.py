import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from nf.core.errors import ArtifactError, ConfigError
from nf.core.queries import QuerySet
from nf.monitoring import IssuedSet, Ledger, WatchedSuspect
from nf.stages.run import Run
from nf.stages.watch import watch_suspect

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
    run, issued = issue(tmp_path, threshold)
    with pytest.raises(error, match=message):
        watch_suspect(run, issued, suspect, tmp_path)
    assert Ledger(run.layout.issued).current().status == "fresh"


def issue(folder, threshold):
    """A run with a query set in use, and that set."""
    run = Run.open("smoke", params=PARAMS, out=folder)
    ledger = Ledger(run.layout.issued)
    card = {"scheme": "naturalfinger", "threshold": threshold}
    queries = QuerySet(np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int64), np.ones(2, np.int64), card)
    queries.save(ledger.folder(queries.digest))
    issued = IssuedSet(queries.digest, "naturalfinger", 0, ISSUED_AT)
    ledger.issue(issued)
    return run, issued


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
    run, issued = issue(tmp_path, 0.5)
    ledger, seen = Ledger(run.layout.issued), []
    with breaking_server(lambda: seen.append(set(ledger.current().seen_by))) as address:
        observation = watch_suspect(run, issued, WatchedSuspect("shop", address=address), tmp_path)
    assert seen == [{"shop"}]
    assert observation.stolen is None
    assert "500" in observation.error
    assert set(ledger.current().seen_by) == {"shop"}
