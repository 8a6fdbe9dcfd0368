"""What a stranger gets from ``make repro``, seen from outside."""

import csv
import json
import sqlite3

import numpy as np
import pytest

from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable

STAGES = ("prepare", "zoo", "gan@sagan", "fingerprint@naturalfinger", "export", "verify@naturalfinger")


def test_every_artifact_is_there(reproduced):
    out = reproduced.out
    for name in (
        "data/images.safetensors",
        "zoo/source/weights.safetensors",
        "zoo/summary.json",
        "gan/sagan/generator.safetensors",
        "gan/sagan/samples.png",
        "fingerprints/naturalfinger/queries.safetensors",
        "fingerprints/naturalfinger/sheet.png",
        "onnx/source.onnx",
        "scores/naturalfinger.csv",
        "metrics/naturalfinger.json",
        "plots/naturalfinger/curves.csv",
        "report/index.html",
    ):
        assert (out / name).stat().st_size > 0, name
    assert not list(out.rglob("*.tmp"))


def test_the_queries_separate_the_training_models(reproduced):
    """Screened on the stored bytes: through onnxruntime too, every thief of the pool agrees, no honest model does."""
    table = ScoreTable.load(reproduced.out / "scores" / "naturalfinger.csv")
    training = table.select(pool="training")
    assert training.select(role="positive").values.tolist() == [1.0] * 2
    assert training.select(role="negative").values.tolist() == [0.0] * 2
    queries = QuerySet.load(reproduced.out / "fingerprints" / "naturalfinger")
    assert len(queries) == 10
    assert queries.card["threshold"] == 0.5
    assert {row.queries for row in table.rows} == {10}


def test_exported_models_answer_like_the_trained(reproduced):
    with (reproduced.out / "onnx" / "parity.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == len(list((reproduced.out / "onnx").glob("*.onnx"))) == 24
    assert max(float(row["max_abs_difference"]) for row in rows) < 1e-3
    assert {row["labels_equal"] for row in rows} == {"True"}


def test_the_report_names_every_suspect(reproduced):
    page = (reproduced.out / "report" / "index.html").read_text()
    table = ScoreTable.load(reproduced.out / "scores" / "naturalfinger.csv").select(pool="suspects")
    assert len(table.rows) == 20
    assert all(row.suspect in page for row in table.rows)


def test_mlflow_holds_one_run_with_parameters_metrics_and_artifacts(reproduced):
    with sqlite3.connect(reproduced.root / ".mlflow" / "mlflow.db") as store:
        runs = dict(store.execute("select name, run_uuid from runs where status = 'FINISHED'").fetchall())
        assert len(runs) == 2  # the scheme's and the GAN's
        scheme = next(run for name, run in runs.items() if name.startswith("naturalfinger"))
        metrics = dict(store.execute("select key, value from latest_metrics where run_uuid = ?", [scheme]).fetchall())
        parameters = dict(store.execute("select key, value from params where run_uuid = ?", [scheme]).fetchall())
        course = store.execute("select key, step from metrics where run_uuid = ?", [runs["sagan"]]).fetchall()
        steps = store.execute("select count(*) from metrics where key = 'curve.robustness'").fetchone()[0]
    found = json.loads((reproduced.out / "metrics" / "naturalfinger.json").read_text())
    assert metrics["aruc"] == pytest.approx(found["aruc"])
    assert metrics["margin.distill"] == pytest.approx(found["margin"]["distill"])
    assert parameters["naturalfinger.epochs"] == "30"
    assert steps == 101
    assert {("d_adversarial", 60), ("frechet_resnet18", 60), ("quality.recall", 0)} <= set(course)
    kept = {path.name for path in (reproduced.root / ".mlflow" / "artifacts").rglob("*") if path.is_file()}
    assert {"queries.safetensors", "sheet.png", "index.html", "naturalfinger.csv", "curves.png", "rates.png"} <= kept


def test_prefect_knows_a_flow_a_stage_and_a_task_a_model(reproduced):
    with sqlite3.connect(reproduced.root / ".prefect" / "prefect.db") as store:
        flows = {name for (name,) in store.execute("select name from flow")}
        tasks = {name for (name,) in store.execute("select name from task_run where state_type = 'COMPLETED'")}
    assert {name.split("@")[0] for name in STAGES} | {"evaluate", "report"} <= flows
    assert {"source", "mirror", "distill-vgg13_bn-source-t1"} <= tasks


def test_nothing_changed_nothing_runs(reproduced):
    again = reproduced.run("dvc", "repro")
    assert "Data and pipelines are up to date" in again.stdout + again.stderr
    assert "Running stage" not in again.stdout


def test_only_what_depends_on_a_change_runs(reproduced):
    """Another number of resamples: evaluation and report run; back again, both come from DVC's run cache."""
    reproduced.edit(lambda smoke: smoke.update(evaluation={"resamples": 500}))
    changed = reproduced.run("dvc", "repro").stdout
    reproduced.git("checkout", "-q", "params.yaml")
    back = reproduced.run("dvc", "repro").stdout
    assert _ran(changed) == ["evaluate@naturalfinger", "report"]
    assert _ran(back) == []


def _ran(output):
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_metrics_and_plots_are_shown_by_dvc(reproduced):
    shown = json.loads(reproduced.run("dvc", "metrics", "show", "--json").stdout)
    values = shown[""]["data"]["out/smoke/metrics/naturalfinger.json"]["data"]
    assert 0 <= values["aruc"] <= 1
    reproduced.run("dvc", "plots", "show", "--out", "plots")
    page = (reproduced.root / "plots" / "index.html").read_text()
    assert "robustness" in page
    assert "uniqueness" in page


def test_another_clone_pulls_models_and_queries(reproduced, tmp_path):
    remote, other = tmp_path / "remote", tmp_path / "other"
    reproduced.run("dvc", "remote", "add", "-f", "-d", "store", str(remote))
    reproduced.run("dvc", "push")
    reproduced.git("add", "-A")
    reproduced.git("commit", "-qm", "A run")
    reproduced.git("clone", "-q", str(reproduced.root), str(other))
    clone = type(reproduced)(other)
    clone.run("dvc", "pull", "out/smoke/fingerprints/naturalfinger")
    assert not (clone.out / "zoo").exists()
    mine, theirs = (QuerySet.load(c.out / "fingerprints" / "naturalfinger") for c in (reproduced, clone))
    np.testing.assert_array_equal(mine.images, theirs.images)
    clone.run("dvc", "pull")
    assert "up to date" in clone.run("dvc", "repro").stdout
