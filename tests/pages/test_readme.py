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

from nf.core.files import write_json
from nf.core.queries import QuerySet

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
# What `make` runs for a target, and the test that runs the same.
TARGETS = {
    "make repro": (".venv/bin/python -m flows reproduce report", "tests/pipeline/test_reproduce.py"),
    "make test": (".venv/bin/pytest -n 2", ".ci/run"),
}
RUNS = {
    "tests/pipeline/test_reproduce.py": "def test_the_report_needs_the_first_scheme_only(reproduced)",
    ".ci/run": "make test",
}
TYPED = "source .venv/bin/activate", "queries=", "nf verify "


def commands(kind: str) -> list[str]:
    """Lines of shell in blocks of ``kind``: all of `sh`, those behind a prompt of `console`."""
    lines = [line for found, block in BLOCKS if found == kind for line in block.splitlines()]
    if kind == "console":
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line.partition(" #")[0].strip() for line in lines]


def test_no_command_is_left_out() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "console"}
    unknown = [line for line in commands("sh") if line not in TARGETS]
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
    queries = QuerySet(images, labels, np.full(7, -1), {"scheme": "naturalfinger", "threshold": 0.6})
    out = tmp_path / "out" / "digits"
    queries.save(out / "fingerprints" / "naturalfinger")
    (out / "onnx").mkdir()
    (out / "onnx" / "finetune-FTAL-source.onnx").write_bytes(network.SerializeToString())
    errors = {"false_positives": 4, "negatives": 91, "false_negatives": 2, "positives": 63}
    metrics = {"query_set": queries.digest, "threshold": queries.card["threshold"], "at_threshold": errors}
    write_json(out / "metrics" / "naturalfinger.json", metrics)
    return tmp_path


def shape(line: str) -> str:
    """The line without its numbers and hashes."""
    return re.sub(r"\d[\d.]*|[0-9a-f]{12}", "0", line)


def test_a_suspect_is_checked_as_it_is_written(project: Path) -> None:
    assert shutil.which("bash")
    script = "\n".join(["set -e", *commands("console")])
    ran = subprocess.run(["bash", "-c", script], cwd=project, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    (block,) = (block for kind, block in BLOCKS if kind == "console")
    shown = [shape(line) for line in block.splitlines() if not line.startswith("$ ")]
    assert "verdict        STOLEN" in ran.stdout
    said = [shape(line) for line in ran.stdout.splitlines()]
    assert said[:5] == shown[:5]
    # How it was asked is another here, and without control images nothing is said of them.
    assert [line[:15] for line in said[5:]] == [line[:15] for line in shown[5:] if not line.startswith("controls")]
    evidence = json.loads((project / "evidence.json").read_text())
    assert evidence["suspect"]["file"].endswith("finetune-FTAL-source.onnx")


def test_error_rates_that_are_shown_are_the_record_s() -> None:
    record = json.loads((ROOT / "results" / "digits.json").read_text())["schemes"]["naturalfinger"]["at_threshold"]
    assert f"honest models accused: {record['false_positives']} of {record['negatives']}" in README
    assert f"stolen models missed: {record['false_negatives']} of {record['positives']}" in README
