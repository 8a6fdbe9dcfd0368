"""Which settings a scheme's run in MLflow bears."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flows import tracking
from flows.outbox import RunRecord
from flows.tracking import _numbers, _parameters, log_watch
from nf.core.calibration import Levels
from nf.core.config import load_profile
from nf.core.files import write_json
from nf.core.paths import METRICS_FILE, Layout
from nf.core.proportions import Proportion
from nf.models import BLACK_BOX
from nf.monitoring import IssuedSet, Ledger, Observation, WatchedSuspect, Watchlist, append_history
from nf.stages.run import Run
from nf.stages.watch import watch_verdicts
from nf.verdict import Benchmark, Found

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path):
    return Run(load_profile(ROOT / "params.yaml", "digits"), Layout(tmp_path))


def with_gan(run, name):
    schemes = {**run.profile.schemes, "naturalfinger": {**run.profile.schemes["naturalfinger"], "gan": name}}
    return replace(run, profile=replace(run.profile, schemes=schemes))


def of_gans(parameters):
    return {name.split(".")[1] for name in parameters if name.startswith("gan.")}


def test_the_gan_that_a_scheme_takes_by_default_is_among_its_settings(run):
    parameters = _parameters(run, "naturalfinger")
    assert of_gans(parameters) == {"sagan"}
    assert parameters["gan.sagan.steps"] == str(run.profile.gans["sagan"]["steps"])


def test_so_is_the_one_that_its_section_names(run):
    assert of_gans(_parameters(with_gan(run, "logan"), "naturalfinger")) == {"logan"}


def test_an_imported_gan_is_named_and_has_no_settings(run):
    parameters = _parameters(with_gan(run, "mine"), "naturalfinger")
    assert parameters["naturalfinger.gan"] == "mine"
    assert of_gans(parameters) == set()


def test_a_scheme_without_a_gan_has_none(run):
    assert of_gans(_parameters(run, "akh")) == set()


def test_metrics_of_both_scores_of_verdicts_and_their_levels_are_logged():
    found = {
        "aruc": 0.4,
        "calibrated": {"aruc": 0.8, "roc_auc": 0.99},
        "verdicts": {
            "levels": {"independent": 0.01, "trained": 0.05},
            "independent_accused": {"count": 0, "total": 91, "rate": 0.0},
            "trained_accused": None,
            "thieves": {"prune": {"suspects": 18, "accused": 18, "stolen": 17}},
        },
    }
    assert dict(_numbers(found)) == {
        "aruc": 0.4,
        "calibrated.aruc": 0.8,
        "calibrated.roc_auc": 0.99,
        "verdicts.levels.independent": 0.01,
        "verdicts.levels.trained": 0.05,
        "verdicts.independent_accused.count": 0,
        "verdicts.independent_accused.total": 91,
        "verdicts.independent_accused.rate": 0.0,
        "verdicts.thieves.prune.suspects": 18,
        "verdicts.thieves.prune.accused": 18,
        "verdicts.thieves.prune.stolen": 17,
    }


def test_a_watch_logs_corrected_outcomes_both_p_values_and_the_known_errors(run, monkeypatch):
    logged = []
    known = Benchmark(Proportion(1, 91), Proportion(3, 63), Proportion(2, 15), {"prune": Found(63, 60, 50)})
    monkeypatch.setattr(tracking, "log", lambda experiment, record: logged.append(record))
    monkeypatch.setattr(tracking, "_tags", lambda run: {"profile": run.profile.name})
    seen = Observation("2026-11-01", "b" * 64, 0.9, 0.5, "stolen", 0.8, 0.009, 0.009, Levels(0.01, 0.05))
    append_history(run.layout.watch / "shop.jsonl", seen)
    listed = Watchlist((WatchedSuspect("shop", address="https://shop.example/SECRET"),))
    log_watch(run, IssuedSet("b" * 64, "naturalfinger", 1, "2026-11-01"), watch_verdicts(run, listed), known)
    (record,) = logged
    metrics = {name: value for name, value, _ in record.metrics}
    assert record.tags["outcome.shop"] == "not shown"
    assert metrics["shop.p_values.independent.raw"] == 0.009
    assert metrics["shop.p_values.independent.corrected"] == pytest.approx(0.018)
    assert metrics["shop.levels.trained"] == 0.05
    assert metrics["benchmark.trained_accused.count"] == 2
    assert metrics["benchmark.thieves.prune.stolen"] == 50
    assert "SECRET" not in json.dumps([record.params, record.metrics, record.tags])


def test_metrics_of_a_new_set_are_compared_with_those_of_the_one_before_if_both_are_of_a_scheme(run, monkeypatch):
    logged, ledger = [], Ledger(run.layout.issued)
    monkeypatch.setattr(tracking, "log", lambda experiment, record: logged.append(record))
    monkeypatch.setattr(tracking, "_tags", lambda run: {"git_commit": "abc"})
    monkeypatch.setattr(tracking, "_evaluation", lambda run, scheme, *files: RunRecord(scheme))
    for number, (scheme, aruc) in enumerate([("akh", 0.5), ("akh", 0.75), ("naturalfinger", 0.25)]):
        issued = IssuedSet(str(number) * 64, scheme, number, f"2026-11-0{number + 1}T03:00:00+00:00")
        write_json(ledger.folder(issued.digest) / METRICS_FILE, {"aruc": aruc})
        ledger.issue(issued)
        tracking.log_refingerprint(run, issued)
    first, same, other = logged
    assert (list(first.metrics), list(same.metrics), list(other.metrics)) == ([], [("change.aruc", 0.25, 0)], [])
    assert "change" not in {*first.tags, *same.tags}
    assert other.tags["change"] == "none stated: the set before is of akh"
    assert other.tags["previous_query_set"] == "1" * 64


@pytest.mark.parametrize("box", [True, False])
def test_a_source_of_which_only_answers_are_known_is_no_artifact(run, monkeypatch, box):
    """Nobody exported it: a file that is not there would end the report of every black box."""
    logged = []
    monkeypatch.setattr(tracking, "log", lambda experiment, record: logged.append(record))
    monkeypatch.setattr(tracking, "_tags", lambda run: {"git_commit": "abc"})
    monkeypatch.setattr(tracking, "_evaluated", lambda run, scheme: RunRecord(scheme))
    write_json(run.layout.zoo / "source" / "card.json", {"build": {BLACK_BOX: "mine.onnx"} if box else {}})
    tracking.log_pipeline(run, "akh")
    (record,) = logged
    assert ("source/source.onnx" in record.files) is not box
    assert bool(record.models) is not box
