"""The containers, for real: opt in with ``NF_DOCKER=1``, as the images take gigabytes and minutes.

``NF_DOCKER_ARGUMENTS`` goes to ``docker/try.py``: ``--base-image IMAGE --network host`` where nothing can be pulled.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.environ.get("NF_DOCKER") != "1", reason="builds images: set NF_DOCKER=1 to run it")


@pytest.fixture(scope="module")
def record():
    arguments = shlex.split(os.environ.get("NF_DOCKER_ARGUMENTS", ""))
    command = [sys.executable, str(ROOT / "docker" / "try.py"), *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def test_a_worker_runs_the_pipeline_and_both_servers_know(record):
    stages = {"prepare", "zoo", "gan", "fingerprint", "export", "verify", "evaluate", "report"}
    assert stages | {"reproduce"} <= set(record["prefect_flows"])
    assert "sagan" in record["mlflow_runs"]
    assert any(name.startswith("naturalfinger-") for name in record["mlflow_runs"])
    assert "pipeline-unknown" not in record["mlflow_runs"]  # it names the commit that the image is of


def test_the_verify_image_tells_a_thief_from_an_honest_model(record):
    thief, honest = record["verdicts"].values()
    assert "STOLEN" in thief
    assert "not stolen" in honest


def test_the_verify_image_is_without_torch(record):
    sizes = {image.split(":")[0]: each["megabytes"] for image, each in record["images"].items()}
    assert sizes["naturalfinger-verify"] < 1500 < sizes["naturalfinger"]
