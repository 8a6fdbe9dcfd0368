"""What a newcomer gets from ``make repro``, seen from outside."""

import json
import os
import re
import shutil
import signal
import sqlite3
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from flows import dvc
from nf.core.files import read_csv, sha256_file
from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable

STAGES = ("prepare", "zoo", "gan@sagan", "fingerprint@naturalfinger", "export", "score@naturalfinger")


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
        "scores/naturalfinger.safetensors",
        "metrics/naturalfinger.json",
        "plots/naturalfinger/curves.csv",
        "plots/naturalfinger/budget.csv",
        "report/index.html",
        "detectors/card.json",
        "detection/naturalfinger.json",
        "variants/twins-0/metrics.json",
        "comparison/index.html",
        "comparison/figures/figure-4-curves.svg",
    ):
        assert (out / name).stat().st_size > 0, name
    assert not list(out.rglob("*.tmp"))


def test_the_report_needs_the_first_scheme_only(reproduced):
    """``make repro`` asks for the report, ``make compare`` for everything."""
    needed = reproduced.run("dvc", "dag", "--mermaid", "report").stdout
    assert "evaluate@naturalfinger" in needed
    assert "akh" not in needed
    assert "akh" in reproduced.run("dvc", "dag", "--mermaid").stdout


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
    rows = read_csv(reproduced.out / "onnx" / "parity.csv", str, advice="")
    cards = [json.loads(path.read_text()) for path in (reproduced.out / "zoo").glob("*/card.json")]
    asked = {card["id"] for card in cards if card["pool"] != "calibration"}
    assert {row["id"] for row in rows} == asked
    assert (len(asked), len(cards)) == (27, 45)
    assert max(float(row["max_abs_difference"]) for row in rows) < 1e-3
    assert {(row["labels_equal"], row["images"]) for row in rows} == {("True", "64")}
    assert len({sha256_file(reproduced.out / "onnx" / f"{row['id']}.onnx") for row in rows}) == len(rows)


def test_fingerbench_plus_is_queried_as_the_others_are_and_reported_separately(reproduced):
    rows = read_csv(reproduced.out / "onnx" / "copies.csv", {"id": str, "agreement": float}, advice="")
    agreement = {row["id"]: row["agreement"] for row in rows}
    assert set(agreement) == {"compress-fp16-source", "compress-int8-source"}
    assert min(agreement.values()) > 0.9
    table = ScoreTable.load(reproduced.out / "scores" / "naturalfinger.csv")
    assert [row.suspect for row in table.select(pool="twins").rows] == ["twin-resnet18-t1"]
    plus = {row.suspect: row for row in table.select(pool="plus").rows}
    assert set(plus) == {"twin-vgg13_bn", "cross-vgg13_bn", "defend-jpeg-source", *agreement}
    assert plus["compress-fp16-source"].score == pytest.approx(table.by_suspect()["source"].score, abs=0.1)
    metrics = json.loads((reproduced.out / "metrics" / "naturalfinger.json").read_text())
    threshold = metrics["threshold"]
    assert metrics["plus"]["twin"]["called_stolen"] == (plus["twin-vgg13_bn"].score >= threshold)
    assert metrics["plus"]["compressed"]["models"] == 2


def test_a_variant_differs_in_its_settings_alone(reproduced):
    """Under one seed the remedy starts from the same draws and meets one more training model, an honest twin."""
    plain, twins = (
        json.loads((reproduced.out / "variants" / f"{name}-0" / "metrics.json").read_text())
        for name in ("label-transform-corrected", "twins")
    )
    assert {**plain["parameters"], "twins": True} == twins["parameters"]
    assert (plain["queries"], plain["training_models"], twins["training_models"]) == (5, 2, 3)
    assert 0 <= twins["metrics"]["plus"]["aruc_twins"] <= 1


def test_detectors_judge_the_queries(reproduced):
    record = json.loads((reproduced.out / "detection" / "naturalfinger.json").read_text())
    assert record["other_gan"]["gan"] == "sagan"  # the smoke profile has one kind: it is trained anew
    for name in ("naive", "other_gan", "half_of_queries"):
        assert len(record[name]["runs"]) == 2
        assert 0 <= record[name]["detection_rate"] <= 1
    assert set(record["naive"]["accuracy"]) == {"normal", "noise", "fgsm"}


def test_the_report_names_every_suspect(reproduced):
    page = (reproduced.out / "report" / "index.html").read_text()
    table = ScoreTable.load(reproduced.out / "scores" / "naturalfinger.csv").select(pool="suspects")
    assert len(table.rows) == 20
    assert all(row.suspect in page for row in table.rows)


def test_mlflow_holds_two_parents_with_their_schemes_and_gans(reproduced):
    with sqlite3.connect(reproduced.root / ".mlflow" / "mlflow.db") as store:
        runs = store.execute("select run_uuid, name from runs where status = 'FINISHED'").fetchall()
        tags = {run: dict(store.execute("select key, value from tags where run_uuid = ?", [run])) for run, _ in runs}
        parameters, metrics, steps = (
            {run: dict(store.execute(f"select key, value from {table} where run_uuid = ?", [run])) for run, _ in runs}
            for table in (
                "params",
                "latest_metrics",
                "(select run_uuid, key, max(step) as value from metrics group by 1, 2)",
            )
        )
        models = dict(store.execute("select name, version from registered_model_aliases where alias = 'current'"))
    pipeline, comparison = (
        next(run for run, _ in runs if tags[run]["kind"] == kind) for kind in ("pipeline", "comparison")
    )

    def children(parent):
        return {
            tags[run].get("scheme", name): run for run, name in runs if tags[run].get("mlflow.parentRunId") == parent
        }

    assert len(runs) == 6
    assert set(children(comparison)) == {"naturalfinger", "akh"}
    assert set(children(pipeline)) == {"naturalfinger", "sagan"}
    scheme, gan = children(pipeline)["naturalfinger"], children(pipeline)["sagan"]
    found = json.loads((reproduced.out / "metrics" / "naturalfinger.json").read_text())
    card = json.loads((reproduced.out / "fingerprints" / "naturalfinger" / "card.json").read_text())
    assert metrics[scheme]["aruc"] == pytest.approx(found["aruc"])
    assert metrics[scheme]["margin.distill"] == pytest.approx(found["margin"]["distill"])
    assert metrics[comparison]["variant.twins.aruc"] == pytest.approx(_variant(reproduced, "twins")["aruc"])
    assert parameters[scheme]["naturalfinger.epochs"] == "30"
    assert tags[scheme]["query_set"] == card["digest"]
    assert tags[scheme]["data_hash"] == card["data_hash"]["A"]
    assert steps[scheme]["curve.robustness"] == 100
    assert (steps[gan]["frechet_resnet18"], steps[gan]["quality.recall"]) == (60, 0)
    assert models == {"naturalfinger-smoke-source": 1, "naturalfinger-smoke-sagan": 1}
    kept = {path.name for path in (reproduced.root / ".mlflow" / "artifacts").rglob("*") if path.is_file()}
    assert {"queries.safetensors", "sheet.png", "index.html", "scores.csv", "curves.png", "rates.png"} <= kept
    assert {"figure-4-curves.svg", "table-3-ablation.svg", "generator.safetensors", "source.onnx"} <= kept
    assert [path.name for path in (reproduced.root / ".mlflow" / "outbox").iterdir()] == [".lock"]


def _variant(clone, name):
    return json.loads((clone.out / "variants" / f"{name}-0" / "metrics.json").read_text())["metrics"]


def test_prefect_knows_a_flow_a_stage_and_a_task_a_model(reproduced):
    with sqlite3.connect(reproduced.root / ".prefect" / "prefect.db") as store:
        flows = {name for (name,) in store.execute("select name from flow")}
        tasks = {name for (name,) in store.execute("select name from task_run where state_type = 'COMPLETED'")}
    compared = {"evaluate", "report", "detectors", "detect", "variant", "compare"}
    assert {name.split("@")[0] for name in STAGES} | compared <= flows
    assert {"source", "mirror", "distill-vgg13_bn-source-t1"} <= tasks


def test_nothing_changed_nothing_runs(reproduced, tmp_path):
    """A worker may start the flow from any folder."""
    for command, folder in ((("dvc", "repro"), None), (("flows", "reproduce"), tmp_path)):
        again = reproduced.run(*command, folder=folder)
        assert "Data and pipelines are up to date" in again.stdout + again.stderr
        assert not _ran(again.stdout)


def test_an_unknown_target_is_one_line(reproduced):
    result = reproduced.run("flows", "reproduce", "evalute@akh", check=False)
    assert (result.returncode, result.stderr) == (
        2,
        "error: dvc: Stage 'evalute@akh' not found inside 'dvc.yaml' file\n",
    )


def _press_ctrl_c(process):
    """A terminal interrupts all of a job's processes at once."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.fixture
def zooless(reproduced, tmp_path):
    """A copy of the clone with all that the zoo needs, and without a zoo of its settings anywhere in DVC's cache."""
    shutil.copytree(reproduced.root, tmp_path / "project", symlinks=True)
    clone = replace(reproduced, root=tmp_path / "project")
    clone.edit(lambda smoke: smoke["zoo"]["training"].update(epochs=smoke["zoo"]["training"]["epochs"] + 1))
    shutil.rmtree(clone.out / "zoo")
    return clone


def _a_stage_has_begun(clone, process):
    """Its process is there, and has not imported anything yet."""
    del clone
    return _stages(psutil.Process(process.pid).children(recursive=True))


def _a_model_is_there(clone, process):
    del process
    return list(clone.out.glob("zoo/*/card.json"))


def _stages(processes):
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # others come and go
            if "flows stage zoo" in " ".join(process.cmdline()):
                found.append(process)
    return found


@pytest.mark.parametrize(
    ("reached", "send"), [(_a_stage_has_begun, psutil.Process.terminate), (_a_model_is_there, _press_ctrl_c)]
)
def test_told_to_end_it_ends_with_its_stages(zooless, services, reached, send):
    process = services.start(zooless, "flows", "reproduce", "zoo")
    services.wait_for(lambda: reached(zooless, process), process)
    assert "prepare" not in services.log(process)
    descendants = psutil.Process(process.pid).children(recursive=True)
    assert _stages(descendants)
    send(psutil.Process(process.pid))
    services.wait_for_end(process, 60)
    _, alive = psutil.wait_procs(descendants, timeout=30)
    assert alive == [], services.log(process)


def _ran(output):
    """Stages that ran, and did not come from DVC's cache."""
    kept = set(re.findall(r"Stage '(.+)' (?:is cached|didn't change)", output))
    begun = re.findall(r"(?m)^(?:(\S+): begins, \d+ of \d+|Running stage '(.+)':)$", output)  # of the flow, of DVC
    return [name for name in ("".join(each) for each in begun) if name not in kept]


def test_metrics_are_shown_by_dvc(reproduced):
    shown = json.loads(reproduced.run("dvc", "metrics", "show", "--json").stdout)
    values = shown[""]["data"]["out/smoke/metrics/naturalfinger.json"]["data"]
    assert 0 <= values["aruc"] <= 1


@pytest.fixture(scope="module")
def served(reproduced, services):
    """The clone under a Prefect server until the last test; without one every stage starts its own, on its database."""
    return services.start_prefect(reproduced)


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of a package that DVC reads its index with
def test_only_what_depends_on_a_change_runs(served, monkeypatch):
    """Another number of resamples: what evaluates and shows has to run; back again, it comes from DVC's run cache."""
    served.edit(lambda smoke: smoke.update(evaluation={"resamples": 500}))
    monkeypatch.setattr(dvc, "ROOT", served.root)
    variants = ["variant@label-transform-corrected-0", "variant@twins-0"]
    schemes = ["evaluate@akh", "evaluate@naturalfinger"]
    assert sorted(dvc.stale_stages(())) == ["compare", *schemes, "report", *variants]
    changed = served.run("dvc", "repro", "report").stdout
    served.git("checkout", "-q", "params.yaml")
    back = served.run("dvc", "repro").stdout
    assert _ran(changed) == ["evaluate@naturalfinger", "report"]
    assert _ran(back) == []


def test_after_a_failure_no_stage_begins(served):
    """The stage that fails is named, the one beside it is finished, and what needs it does not run."""
    metrics = served.out / "metrics"
    shutil.move(metrics / "akh.json", served.root / "kept.json")
    scores = served.out / "scores" / "naturalfinger.csv"
    few = {"candidates": 8, "shortlist": 4, "epochs": 1, "max_rounds": 1}  # of which there cannot come 10 queries
    served.edit(lambda smoke: smoke["schemes"]["naturalfinger"].update(few))
    result = served.run("flows", "reproduce", "report", "evaluate@akh", check=False)
    served.git("checkout", "-q", "params.yaml")
    served.run("dvc", "checkout", "fingerprint@naturalfinger")  # DVC deletes what a stage is about to make
    assert result.returncode == 2
    assert _ran(result.stdout) == ["fingerprint@naturalfinger"]  # the other comes from DVC's run cache
    assert "expected 10 queries within 1 rounds, got" in result.stdout
    assert "expected all stages to succeed, fingerprint@naturalfinger did not" in result.stderr
    assert (metrics / "akh.json").read_bytes() == (served.root / "kept.json").read_bytes()
    assert scores.exists()


def test_an_edit_while_a_stage_is_at_work_is_not_credited(served):
    """DVC takes the digests of code when a stage has ended: the stage itself has to say that somebody edited it."""
    code, lock = served.root / "nf" / "stages" / "prepare.py", served.root / "dvc.lock"
    before, kept = code.read_text(), lock.read_bytes()
    # The stage edits its own code as it is read, as somebody in an editor might at that moment.
    code.write_text(f'{before}\nwith open(__file__, "a") as file:\n    file.write("# edited\\n")\n')
    ended = served.run("dvc", "repro", "--single-item", "prepare", check=False)
    assert ended.returncode != 0
    assert "error: prepare: expected code and settings to stay while it was at work, nf/stages/prepare.py" in (
        ended.stdout + ended.stderr
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "prepare" in json.loads(served.run("dvc", "status", "--json", "prepare").stdout)
    code.write_text(f"{before}\n# edited, and read anew\n")
    assert _ran(served.run("dvc", "repro", "--single-item", "prepare").stdout) == ["prepare"]
    assert json.loads(served.run("dvc", "status", "--json", "prepare").stdout) == {}
    code.write_text(before)
    lock.write_bytes(kept)
