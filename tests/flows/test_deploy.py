"""What a docker pool tells and gives its containers."""

from pathlib import Path

import pytest
import yaml

from flows.__main__ import _VOLUMES, _mounted
from flows.deploy import Containers, _job_template

ROOT = Path(__file__).resolve().parents[2]
SERVER = "http://mlflow.example:5000"


def defaults():
    template = _job_template("docker", Containers("image", _VOLUMES, "host"))
    return {name: each.get("default") for name, each in template["variables"]["properties"].items()}


def test_containers_are_told_where_mlflow_is(monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    told = defaults()
    assert told["env"] == {"PREFECT_HOME": "/app/.prefect", "MLFLOW_TRACKING_URI": SERVER}
    assert (told["image"], told["volumes"], told["network_mode"]) == ("image", list(_VOLUMES), "host")
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("address", "got"),
    [
        ("sqlite:////home/me/project/.mlflow/mlflow.db", "got a store of this machine"),
        ("http://admin:secret@mlflow.example:5000", "got one with a password"),
    ],
)
def test_an_address_that_containers_cannot_use_or_the_pool_would_show_is_left_out_in_one_line(
    monkeypatch, caplog, address, got
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert defaults()["env"] == {"PREFECT_HOME": "/app/.prefect"}
    (line,) = caplog.messages
    assert got in line
    assert "secret" not in line


def test_the_address_of_the_webhook_is_not_in_a_pool(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)
    monkeypatch.setenv("NF_WEBHOOK_URL", "https://hooks.example/secret")
    monkeypatch.setenv("NF_WEBHOOK_TOKEN", "secret")
    assert "secret" not in str(defaults()["env"])


def test_a_pool_and_the_stack_keep_the_same_folders_and_the_image_lets_its_user_write_there():
    workers = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    kept = {place.split(":")[1] for place in _VOLUMES}
    assert "/app/.mlflow" in kept
    for name in ("worker", "worker-gpu"):
        volumes = [volume.split(":") for volume in workers[name]["volumes"]]
        assert {place[1] for place in volumes if place[0].isalpha()} == kept
    (owned,) = (line for line in (ROOT / "docker" / "Dockerfile").read_text().splitlines() if "chown -R" in line)
    assert {place.removeprefix("/app/") for place in kept} <= set(owned.split())


def test_a_volume_comes_beside_those_that_runs_share_or_in_the_place_of_one():
    out, *others = _VOLUMES
    assert _mounted(()) == list(_VOLUMES)
    assert _mounted(("/srv/params.yaml:/app/params.yaml:ro",)) == [*_VOLUMES, "/srv/params.yaml:/app/params.yaml:ro"]
    assert _mounted(("mine:/app/out",)) == [*others, "mine:/app/out"]
    assert out.endswith(":/app/out")
