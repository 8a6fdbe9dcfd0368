"""Every command of README runs: short ones here, as they are typed; of long ones it is known which test runs them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray

from nf.cli.words import EXIT_STATUS
from nf.core.config import load_settings
from nf.core.controls import Controls
from nf.core.files import write_json
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.zoo import fingerbench
from tests.suspects.conftest import calibration

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
# What `make` runs for a target, and the test that runs the same.
TARGETS = {
    "make repro": (".venv/bin/python -m flows reproduce report", "tests/pipeline/test_reproduce.py"),
    "make test": (".venv/bin/pytest -n 2", ".ci/run"),
    "make repro PROFILE=mine": (".venv/bin/python -m flows reproduce report --profile mine", "tests/flows/test_dvc.py"),
}
RUNS = {
    "tests/pipeline/test_reproduce.py": "def test_the_report_needs_the_first_scheme_only(reproduced)",
    ".ci/run": "make test",
    "tests/flows/test_dvc.py": "def test_a_profile_of_ones_own_is_put_into_use_and_another_again(",
}
INIT = "nf init mine "
"""What tests/owner/test_init.py types as it stands there."""
VERDICTS = ROOT / "results" / "verdicts.json"
# How a suspect was asked, which is another here.
ASKED = "asked as", "controls"
TYPED = "source .venv/bin/activate", "queries=", "nf verify "


def commands(kind: str) -> list[str]:
    """Lines of shell in blocks of ``kind``: all of `sh`, those behind a prompt of `console`."""
    lines = [line for found, block in BLOCKS if found == kind for line in block.splitlines()]
    if kind == "console":
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line.partition(" #")[0].strip() for line in lines]


def test_no_command_is_left_out() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "console"}
    unknown = [line for line in commands("sh") if line not in TARGETS and not line.startswith(INIT)]
    unknown += [line for line in commands("console") if not line.startswith(TYPED)]
    inline = re.findall(
        r"`((?:make|nf|python|pip|git|dvc|docker) [^`]*)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    )
    assert unknown + [line for line in inline if line not in TARGETS] == []


@pytest.mark.parametrize("command", TARGETS)
def test_a_target_runs_what_another_test_runs(command: str) -> None:
    planned, runner = TARGETS[command]
    dry = subprocess.run(
        ["make", "--dry-run", *command.split()[1:]], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert planned in dry.stdout
    assert RUNS[runner] in (ROOT / runner).read_text()
    assert 'clone.run("flows", "reproduce")' in (ROOT / "tests" / "pipeline" / "conftest.py").read_text()


@pytest.fixture
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (7, 1, 4, 4), dtype=np.uint8)


@pytest.fixture
def project(tmp_path: Path, images: NDArray[np.uint8]) -> Path:
    """A folder with the files that README names: a thief that answers every query as it should, and its error rates."""
    if not (Path(sys.prefix) / "bin" / "activate").exists():
        pytest.skip("no virtual environment")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    weights = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
    network = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 20]>
        net (float[N,1,4,4] images) => (float[N,3] logits) { flat = Flatten (images)  logits = MatMul (flat, w) }"""
    )
    network.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    labels = (images.reshape(len(images), -1) / 255 @ weights.astype(np.float64)).argmax(axis=1)
    shown = np.random.default_rng(2).integers(0, 256, (48, 1, 4, 4), dtype=np.uint8)
    controls = Controls(shown, (shown.reshape(len(shown), -1) / 255 @ weights.astype(np.float64)).argmax(axis=1))
    card = {"scheme": "naturalfinger", "threshold": 0.6}
    queries = QuerySet(images, labels, np.full(7, -1), card, controls=controls, calibration=calibration(7))
    out = tmp_path / "out" / "digits"
    queries.save(out / "fingerprints" / "naturalfinger")
    (out / "onnx").mkdir()
    (out / "onnx" / "finetune-FTAL-source.onnx").write_bytes(network.SerializeToString())
    lineages = {"independent_accused": (2, 15), "trained_accused": (1, 15), "missed": None}
    counts = {"independent_accused": (4, 91), "trained_accused": (1, 15), "missed": (2, 63)}
    verdicts = {name: Proportion(*counts[name], lineages[name]).to_json() for name in counts}
    metrics = {"query_set": queries.digest, "threshold": 0.6, "calibration": calibration(7).digest}
    write_json(out / "metrics" / "naturalfinger.json", {**metrics, "verdicts": {**verdicts, "thieves": {}}})
    return tmp_path


def shape(line: str) -> str:
    """The line without its numbers and hashes."""
    return re.sub(r"[0-9a-f]{12}|\d[\d.]*(?:e-\d+)?", "0", line)


def test_a_suspect_is_checked_as_it_is_written(project: Path) -> None:
    assert shutil.which("bash")
    *before, last = commands("console")
    script = "\n".join(["set -e", *before, "set +e", last])
    ran = subprocess.run(["bash", "-c", script], cwd=project, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == EXIT_STATUS["stolen"], ran.stderr
    (block,) = (block for kind, block in BLOCKS if kind == "console")
    shown = [shape(line) for line in block.splitlines() if not line.startswith("$ ")]
    said = [shape(line) for line in ran.stdout.splitlines()]
    assert ran.stdout.startswith("verdict        STOLEN\n")
    assert [line for line in said if not line.startswith(ASKED)] == [
        line for line in shown if not line.startswith(ASKED)
    ]
    assert [line[:15] for line in said] == [line[:15] for line in shown]
    evidence = json.loads((project / "evidence" / "evidence.json").read_text())
    assert evidence["outcome"] == "stolen"
    assert evidence["suspect"]["file"].endswith("finetune-FTAL-source.onnx")
    assert (project / "evidence" / "index.html").exists()


def test_outcomes_and_their_statuses_are_named() -> None:
    rows = dict(re.findall(r"^\| \*?([a-z ]+?)\*? \((\d)\) \|", README, re.MULTILINE))
    assert rows == {outcome: str(status) for outcome, status in EXIT_STATUS.items() if outcome != "error"}


def test_error_rates_that_are_shown_are_the_record_s() -> None:
    """The query set that README shows is one that was recorded."""
    lineage = fingerbench(load_settings(ROOT / "params.yaml").load_profile("digits").zoo).asked()
    honest = [spec for spec in lineage.specs if spec.role == "negative"]
    pools = {"independent_accused": "suspects", "trained_accused": "plus"}
    lineages = {
        name: len({lineage.root(spec.id).id for spec in honest if spec.pool == pool}) for name, pool in pools.items()
    }
    runs = json.loads(VERDICTS.read_text())["runs"]
    shown_set = re.search(r"100 queries, ([0-9a-f]{12})", README)
    assert shown_set is not None
    (run,) = (run for run in runs if run["query_set"].startswith(shown_set[1]))
    for what, name in (
        ("independent models accused", "independent_accused"),
        ("models trained on your data called stolen", "trained_accused"),
        ("thieves missed", "missed"),
    ):
        rate = run["verdicts"][name]
        assert rate["count"] <= 1 or name == "missed"  # so that as many lineages have one
        known = None if name == "missed" else (rate["count"], lineages[name])
        assert f"on the zoo     {what}: {Proportion(rate['count'], rate['total'], known)}\n" in README
