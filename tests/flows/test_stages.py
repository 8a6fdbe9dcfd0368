from types import SimpleNamespace

import pytest
from distributed.client import FutureCancelledError

from flows import stages
from flows.stages import run_stage
from nf.core.errors import ConfigError, NFError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "item", "message"),
    [
        ("fingerprint", None, "fingerprint: expected the scheme that it is about as --item, got none"),
        ("variant", None, "variant: expected the item that it is about as --item, got none"),
        ("zoo", "naturalfinger", "zoo: expected no --item, got 'naturalfinger'"),
        ("prepare", "akh", "prepare: expected no --item, got 'akh'"),
    ],
)
def test_a_stage_gets_an_item_where_it_has_one(name, item, message):
    with pytest.raises(ConfigError, match=message):
        run_stage(name, "smoke", item)


def test_an_unknown_stage_is_refused():
    with pytest.raises(UnknownNameError, match="unknown stage 'ask': expected one of bench, compare"):
        run_stage("ask", "smoke", None)


def test_a_lost_scheduler_is_one_line(monkeypatch):
    """Dask cancels what it was given when the connection breaks."""

    def cancelled():
        yield "first"
        raise FutureCancelledError("second", "scheduler-connection-lost")

    done = []
    run = SimpleNamespace(profile=SimpleNamespace(execution=None), progress=lambda *progress: done.append(progress))
    monkeypatch.setattr(stages, "task_runner", lambda execution: None)
    monkeypatch.setattr(stages, "flow", lambda **options: lambda function: cancelled)
    with pytest.raises(NFError, match=r"zoo-models: expected the Dask scheduler to stay, lost it \(.*connection-lost"):
        stages._spread("zoo-models", run, None, {"first": None, "second": None})
    assert done == [(1, 2, "first")]
