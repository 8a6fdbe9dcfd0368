"""The script of the paper's setting, at its smallest, on the CPU: cut by the clock, then gone on with to the end."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nf.data import Splits
from nf.stages import load_stage
from nf.stages.run import Run
from nf.stages.zoo import missing_models, plan_zoo
from nf.zoo import build_model

ROOT = Path(__file__).resolve().parents[2]


def call(out, *options):
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", "--profile", "gpu-smoke", "--out", out]
    result = subprocess.run(
        [*command, "--schemes", "naturalfinger", "akh", "--variants", "label", *options],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((out / "record" / "gpu-smoke.json").read_text()), result.stdout


def build_training_models(out):
    run = Run.open("gpu-smoke", params=ROOT / "params.yaml", out=out)
    load_stage("prepare")(run)
    plan = plan_zoo(run)
    pool = run.profile.zoo.pool
    first = missing_models(run, plan)[: 1 + len(pool.positive) + len(pool.negative)]
    assert set(first) == {"source", *pool.positive, *pool.negative}
    assert first[0] == "source"
    splits = Splits.load(run.layout.data)
    for model_id in first:
        build_model(plan, model_id, splits, run.layout.zoo)


def test_it_stops_on_time_and_goes_on_to_the_end(tmp_path):
    record, said = call(tmp_path, "--max-seconds", "0")
    assert set(record["missing"].values()) == {"out of time"}
    assert "0 of 15 parts are there" in said
    build_training_models(tmp_path)
    record, said = call(tmp_path, "--zoo-seconds", "0")  # query sets do not wait for the whole zoo
    asking_all = {f"{stage}@{scheme}" for stage in ("score", "evaluate") for scheme in ("naturalfinger", "akh")}
    asking_all |= {"export", "variant@label", "ask-variant@label"}
    assert record["missing"] == dict.fromkeys(["zoo", *asking_all], "out of time")
    assert {"gan@sagan", "fingerprint@naturalfinger", "fingerprint@akh"} < record["parts"].keys()
    record, said = call(tmp_path)
    assert record["missing"] == {}
    assert set(record["schemes"]) == set(record["detection"]) == {"naturalfinger", "akh"}
    assert 0 <= record["schemes"]["naturalfinger"]["aruc_low"] <= record["schemes"]["naturalfinger"]["aruc"]
    assert record["zoo"]["accuracies"].keys() == {path.name for path in (tmp_path / "gpu-smoke" / "zoo").glob("*/")}
    assert record["parts"]["zoo"]["seconds"] > 0
    assert (tmp_path / "record" / "queries.png").exists()
    again, said = call(tmp_path)
    assert again["parts"] == record["parts"]  # nothing was made anew
    assert "15 of 15 parts are there" in said
    a_detectors_second_gan_can_be_stopped(tmp_path)


def a_detectors_second_gan_can_be_stopped(out):
    class StoppedError(Exception):
        pass

    def stop(done, total, what):
        assert (done, total, what) == (10, 60, "a second sagan")
        raise StoppedError

    run = Run.open("gpu-smoke", params=ROOT / "params.yaml", out=out, progress=stop)
    shutil.rmtree(run.layout.decoy("sagan"))
    with pytest.raises(StoppedError):
        load_stage("detectors")(run, "sagan")
