from pathlib import Path

import numpy as np
import pytest

from nf.core.errors import ArtifactError, ConfigError
from nf.core.queries import QuerySet
from nf.monitoring import IssuedSet, Ledger, WatchedSuspect
from nf.stages.run import Run
from nf.stages.watch import watch_suspect

PARAMS = Path(__file__).parents[2] / "params.yaml"


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
    run = Run.open("smoke", params=PARAMS, out=tmp_path)
    ledger = Ledger(run.layout.issued)
    card = {"scheme": "naturalfinger", "threshold": threshold}
    queries = QuerySet(np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int64), np.ones(2, np.int64), card)
    queries.save(ledger.folder(queries.digest))
    issued = IssuedSet(queries.digest, "naturalfinger", 0, "2026-11-01T03:00:00+00:00")
    ledger.issue(issued)
    with pytest.raises(error, match=message):
        watch_suspect(run, issued, suspect, tmp_path)
    assert ledger.current().status == "fresh"
