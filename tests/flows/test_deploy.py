"""What a docker pool tells and gives its containers, and what is said of a pool that is there."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.__main__ import _VOLUMES, _mounted
from flows.deploy import Containers, _ensure_pool, _job_template
from nf.core.errors import ConfigError, NFError

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


def test_workers_see_the_profiles_of_their_owners_own_models_wherever_they_see_the_settings():
    workers = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
    mounts = {"${NF_PARAMS:-../params.yaml}:/app/params.yaml:ro", "${NF_PROFILES:-../profiles}:/app/profiles:ro"}
    for name in ("worker", "worker-gpu"):
        assert mounts <= set(workers[name]["volumes"])
    # Otherwise Docker makes the folder, as root, and `nf init` cannot write there.
    assert (ROOT / "profiles").is_dir()


def test_an_image_holds_the_profiles_that_were_there_and_its_user_can_read_them():
    context = (ROOT / ".dockerignore").read_text().splitlines()
    assert {"!params.yaml", "!profiles"} <= set(context)
    # They come with the mode that `nf init` gave them: for their owner alone.
    (owned,) = (line for line in (ROOT / "docker" / "Dockerfile").read_text().splitlines() if "chown -R" in line)
    assert "profiles" in owned.split()


def test_a_volume_comes_beside_those_that_runs_share_or_in_the_place_of_one():
    out, *others = _VOLUMES
    assert _mounted(()) == list(_VOLUMES)
    assert _mounted(("/srv/params.yaml:/app/params.yaml:ro",)) == [*_VOLUMES, "/srv/params.yaml:/app/params.yaml:ro"]
    assert _mounted(("mine:/app/out",)) == [*others, "mine:/app/out"]
    assert out.endswith(":/app/out")


@pytest.fixture
def pools(monkeypatch):
    """A server that answers every question about a pool with ``pools.status`` and ``pools.known``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(running.known).encode()
            self.send_response(running.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    template = {"variables": {"properties": {"image": {"default": "naturalfinger:gpu"}}}}
    running.status, running.known = 200, {"name": "mine", "type": "docker", "base_job_template": template}
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{running.server_port}/api"
    monkeypatch.setenv("PREFECT_API_URL", address)
    with temporary_settings({PREFECT_API_URL: address}):
        yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "answered 401 Unauthorized: set PREFECT_API_AUTH_STRING or PREFECT_API_KEY"),
        (500, "answered 500 Internal Server Error: its log says why"),
    ],
)
def test_a_server_that_wants_another_password_or_fails_is_one_line(pools, status, said):
    pools.status = status
    with pytest.raises(NFError, match=rf"the Prefect server at http://127\.0\.0\.1:{pools.server_port}/api {said}"):
        _ensure_pool("mine", "docker", Containers("naturalfinger:cpu", (), None))


def test_a_server_that_is_away_is_one_line_which_advises_nothing_but_to_start_it(monkeypatch):
    address = "http://127.0.0.1:1/api"
    monkeypatch.setenv("PREFECT_API_URL", address)
    with (
        temporary_settings({PREFECT_API_URL: address}),
        pytest.raises(NFError, match=rf"the Prefect server at {address} cannot be reached: start it; what"),
    ):
        _ensure_pool("mine", "process", Containers("naturalfinger:cpu", (), None))


@pytest.mark.parametrize(("image", "lines"), [("naturalfinger:gpu", 0), ("naturalfinger:cpu", 1)])
def test_a_pool_keeps_its_image_and_says_so(pools, caplog, image, lines):
    _ensure_pool("mine", "docker", Containers(image, (), None))
    assert len(caplog.messages) == lines
    for line in caplog.messages:
        assert "runs the image naturalfinger:gpu, not naturalfinger:cpu" in line
        assert "prefect work-pool delete mine" in line


def test_a_pool_of_the_other_kind_is_refused(pools):
    with pytest.raises(ConfigError, match="expected type 'process', got 'docker'"):
        _ensure_pool("mine", "process", Containers("naturalfinger:cpu", (), None))
