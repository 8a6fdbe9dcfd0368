"""Issuing a query set: one that is out there is not touched."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nf.core.errors import ArtifactError
from nf.core.queries import QuerySet
from nf.monitoring import IssuedSet, Ledger
from nf.stages import issue as stage
from nf.stages.run import Run

PARAMS = Path(__file__).parents[2] / "params.yaml"


def test_a_set_that_is_issued_keeps_its_files(tmp_path, monkeypatch):
    """The digest is of images and labels, so that the same queries may come with another calibration."""
    run = Run.open("smoke", params=PARAMS, out=tmp_path)
    card = {"scheme": "naturalfinger", "threshold": 0.5}
    queries = QuerySet(np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int64), np.ones(2, np.int64), card)
    ledger = Ledger(run.layout.issued)
    queries.save(ledger.folder(queries.digest))
    ledger.issue(IssuedSet(queries.digest, "naturalfinger", 3, "2026-11-01T03:00:00+00:00"))
    other = replace(queries, card={**card, "threshold": 0.1})
    assert other.digest == queries.digest
    monkeypatch.setattr(stage, "make_queries", lambda *_, **__: other)
    with pytest.raises(ArtifactError, match=r"was issued at 2026-11-01.*choose another seed than 3"):
        stage.issue(run, "naturalfinger", 3)
    assert QuerySet.load(ledger.folder(queries.digest)).card["threshold"] == 0.5
