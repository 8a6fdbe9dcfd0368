from pathlib import Path
from types import SimpleNamespace

import pytest
from distributed.client import FutureCancelledError

from flows import stages
from flows.stages import run_stage
from nf.core.config import load_profile
from nf.core.errors import ConfigError, NFError, UnknownNameError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "item", "message"),
    [
        ("fingerprint", None, "fingerprint: expected the scheme that it is about as --item, got none"),
        ("report", None, "report: expected the scheme that it is about as --item, got none"),
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


def test_what_is_listed_is_what_one_can_run(tmp_path, monkeypatch):
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("variant_seeds: [0, 1, 2]", "variant_seeds: [7]"))
    monkeypatch.chdir(tmp_path)
    items = stages._listed_items(load_profile(Path("params.yaml")))
    assert items[:2] == ["naturalfinger", "ipguard"]
    assert items[-1] == "twins-7"
    assert "label-transform-7" in items
    (tmp_path / "params.yaml").write_text(text.replace("  - twins\n", "  - twin\n", 1))
    with pytest.raises(ConfigError, match=r"variants: expected names from .*, got twin; shorten the list"):
        stages._listed_items(load_profile(Path("params.yaml")))


def test_a_lost_scheduler_is_one_line(monkeypatch):
    """Dask cancels what it was given when the connection breaks."""

    def cancelled():
        yield "first"
        raise FutureCancelledError("second", "scheduler-connection-lost")

    done = []
    run = SimpleNamespace(profile=SimpleNamespace(execution=None), progress=lambda *progress: done.append(progress))
    monkeypatch.setattr(stages, "task_runner", lambda execution: None)
    monkeypatch.setattr(stages, "flow", lambda **options: lambda function: cancelled)
    lost = r"zoo-models: expected the Dask scheduler to stay, lost it \(.*connection-lost.*\); start it and run again"
    with pytest.raises(NFError, match=lost) as caught:
        stages._spread("zoo-models", run, None, {"first": None, "second": None})
    assert "\n" not in str(caught.value)
    assert done == [(1, 2, "first")]
