"""The containers, for real: opt in with ``NF_DOCKER=1``, as the images take gigabytes and minutes.

``NF_DOCKER_ARGUMENTS`` goes to ``docker/try.py``: ``--base-image IMAGE --network host`` where nothing can be pulled.
"""

import json
import os
import secrets
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nf.core.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
IMAGE = f"naturalfinger:{VERSION}"

pytestmark = pytest.mark.skipif(os.environ.get("NF_DOCKER") != "1", reason="builds images: set NF_DOCKER=1 to run it")


@pytest.fixture(scope="module")
def record():
    arguments = shlex.split(os.environ.get("NF_DOCKER_ARGUMENTS", ""))
    command = [sys.executable, str(ROOT / "docker" / "try.py"), *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@pytest.fixture
def volume():
    """Name of a volume of Docker that is removed afterwards."""
    name = f"nf-try-{secrets.token_hex(4)}"
    yield name
    subprocess.run(["docker", "volume", "rm", "--force", name], check=True, capture_output=True)


def test_a_worker_runs_the_pipeline_and_both_servers_know(record):
    stages = {"prepare", "zoo", "gan", "fingerprint", "export", "score", "evaluate", "report"}
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


def test_a_docker_pool_runs_the_pipeline_in_a_container_and_keeps_its_artifacts(record, project, services, volume):
    assert IMAGE in record["images"]
    served = services.start_prefect(project)
    (project.root / "params.yaml").chmod(0o644)  # the container is another user
    mounts = (f"{volume}:/app/out", f"{project.root / 'params.yaml'}:/app/params.yaml:ro")
    options = [option for mount in mounts for option in ("--volume", mount)]
    served.run("flows", "deploy", "--pool", "boxes", "--type", "docker", "--network", "host", *options)
    services.start(served, "prefect", "worker", "start", "--pool", "boxes", "--type", "docker")
    served.run("prefect", "deployment", "run", "reproduce/reproduce", "--watch", "--watch-interval", "1")
    listing = ["docker", "run", "--rm", "--volume", f"{volume}:/out:ro", "--entrypoint", "ls", IMAGE, "/out/smoke"]
    kept = subprocess.run(listing, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    assert {"zoo", "gan", "fingerprints", "onnx", "report"} <= set(kept)
