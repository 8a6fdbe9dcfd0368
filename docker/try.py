#!/usr/bin/env python3
"""Build the images, bring the stack up, run the smoke profile through a worker, ask a suspect, tear everything down.

Needs Docker and Python's standard library. Progress goes to stderr, what was measured to stdout as JSON. The passwords
are drawn anew, the ports are free ones, and containers and volumes bear a name that nothing else has.

On a host that can pull images: ``docker/try.py``. On one that cannot: ``docker/try.py --base-image IMAGE --network
host`` builds everything, PostgreSQL included, on a Debian or Ubuntu image that is there.
"""

import argparse
import base64
import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMPOSE_FILE = ROOT / "docker" / "compose.yaml"
_STATED = re.search(r'VERSION = "(.+)"', (ROOT / "nf" / "core" / "version.py").read_text())
VERSION = _STATED[1] if _STATED else sys.exit("nf/core/version.py states no version")
IMAGES = {
    f"naturalfinger:{VERSION}": "docker/Dockerfile",
    f"naturalfinger-verify:{VERSION}": "docker/verify.Dockerfile",
}
LOCAL_POSTGRES = {"naturalfinger-try-postgres": "docker/try/postgres.Dockerfile"}
THIEF, HONEST = "distill-vgg13_bn-source-t1", "scratch-resnet18-t1"
RUN_SECONDS = 900
START_SECONDS = 300


class TryError(Exception):
    """Something did not go as it should."""


def run(*command: str, environment: dict[str, str] | None = None, check: bool = True) -> str:
    """Run a command and return what it printed; its errors go to stderr.

    Raises:
        TryError: it ended with another status than 0.
    """
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
        check=False,
    )
    if check and result.returncode:
        raise TryError(f"expected `{' '.join(command)}` to succeed, it ended with {result.returncode}")
    return result.stdout


def wait(what: str, seconds: float, done: Callable[[], bool]) -> float:
    """Poll ``done`` once a second; return the seconds that it took.

    Raises:
        TryError: it took longer than ``seconds``.
    """
    started = time.monotonic()
    while not done():
        if time.monotonic() - started > seconds:
            raise TryError(f"expected {what} within {seconds:.0f} s")
        time.sleep(1)
    took = round(time.monotonic() - started, 1)
    say(f"{what} after {took} s")
    return took


def say(text: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def build(base_image: str | None, network: str) -> dict[str, Any]:
    """Build the images; return the seconds that each took and its size in MB."""
    record = {}
    commit = run("git", "describe", "--always", "--abbrev=12", "--dirty=+changes", "--exclude=*").strip()
    options = ["--quiet", "--network", network, "--build-arg", f"COMMIT={commit}"]
    if base_image:
        options += ["--build-arg", f"BASE_IMAGE={base_image}"]
    for image, dockerfile in (IMAGES | LOCAL_POSTGRES if base_image else IMAGES).items():
        started = time.monotonic()
        command = ["docker", "build", *options, "--file", dockerfile, "--tag", image, "."]
        run(*command, environment={"DOCKER_BUILDKIT": "1"})
        size = int(run("docker", "image", "inspect", "--format", "{{.Size}}", image))
        record[image] = {"build_seconds": round(time.monotonic() - started, 1), "megabytes": round(size / 1e6)}
        say(f"{image}: {record[image]}")
    return record


class Stack:
    """The services of ``compose.yaml`` under a name of their own.

    Args:
        params: the ``params.yaml`` that the worker sees.
        postgres: keep records in PostgreSQL instead of SQLite.
        local_postgres: use the image that ``build`` made.
    """

    def __init__(self, params: Path, *, postgres: bool, local_postgres: bool) -> None:
        self.name = f"nf-try-{os.getpid()}"
        self.password = secrets.token_hex(24)
        self.ports = {name: free_port() for name in ("prefect", "mlflow")}
        self.services = ["prefect", "mlflow", "worker", *(["postgres"] if postgres else [])]
        self._environment = {
            "COMPOSE_PROFILES": ",".join(["cpu", *(["postgres"] if postgres else [])]),
            "PREFECT_PASSWORD": self.password,
            "MLFLOW_PASSWORD": self.password,
            "MLFLOW_SECRET_KEY": secrets.token_hex(24),
            "POSTGRES_PASSWORD": secrets.token_hex(24) if postgres else "",
            "PREFECT_PORT": str(self.ports["prefect"]),
            "MLFLOW_PORT": str(self.ports["mlflow"]),
            "NF_PARAMS": str(params),
        }
        if local_postgres:
            self._environment["POSTGRES_IMAGE"] = next(iter(LOCAL_POSTGRES))

    def compose(self, *arguments: str, without: str | None = None, check: bool = True) -> str:
        """Run a compose command on this stack, on request with one setting empty."""
        environment = self._environment | ({without: ""} if without else {})
        command = (*compose_command(), "--file", str(COMPOSE_FILE), "--project-name", self.name, *arguments)
        return run(*command, environment=environment, check=check)

    def healthy(self, service: str) -> bool:
        """Whether the service's container says that it is well."""
        container = self.compose("ps", "--quiet", service).strip()
        status = run("docker", "inspect", "--format", "{{.State.Health.Status}}", container, check=False)
        return status.strip() == "healthy"

    def call(self, server: str, path: str, body: dict[str, Any] | None = None, *, password: str | None = None) -> Any:
        """Ask a server's API as its user; return the JSON that it answers.

        Raises:
            urllib.error.HTTPError: it refuses.
        """
        with self.open(server, path, body, password=password) as response:
            return json.load(response)

    def open(self, server: str, path: str, body: dict[str, Any] | None = None, *, password: str | None = None) -> Any:
        """The server's response, to be closed.

        Raises:
            urllib.error.HTTPError: it refuses.
        """
        token = base64.b64encode(f"admin:{self.password if password is None else password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[server]}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Basic {token}"},
        )
        return urllib.request.urlopen(request, timeout=30)


def compose_command() -> tuple[str, ...]:
    """Compose as a plugin of Docker, or the older command of its own."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ("docker", "compose") if plugin.returncode == 0 else ("docker-compose",)


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(stack: Stack) -> dict[str, float]:
    """Bring the stack up; return the seconds until each service was healthy."""
    began = time.monotonic()
    try:
        stack.compose("up", "--detach")
    except TryError:
        say(stack.compose("logs", "--tail", "40", check=False))
        raise
    record = {}
    for service in stack.services:
        wait(f"{service} is healthy", START_SECONDS, lambda service=service: stack.healthy(service))
        record[service] = round(time.monotonic() - began, 1)
    return record


def check_refusals(stack: Stack) -> None:
    """No service without a password, and no answer to a wrong one.

    Raises:
        TryError: something is open.
    """
    for setting in ("PREFECT_PASSWORD", "MLFLOW_PASSWORD", "MLFLOW_SECRET_KEY"):
        if stack.compose("config", without=setting, check=False):
            raise TryError(f"expected compose to refuse an empty {setting}")
    for server, path in {"prefect": "/api/flows/count", "mlflow": "/api/2.0/mlflow/experiments/search"}.items():
        try:
            stack.call(server, path, {"max_results": 1}, password="wrong")
        except urllib.error.HTTPError as error:
            if error.code == 401:
                continue
            raise
        raise TryError(f"expected {server} to answer 401 to a wrong password")
    say("nothing runs without passwords, and wrong ones are refused")


def check_pages(stack: Stack) -> None:
    """Both servers have pages for people, and not their APIs alone.

    Raises:
        urllib.error.HTTPError: a page is missing.
    """
    for server in ("prefect", "mlflow"):
        with stack.open(server, "/") as response:
            if "text/html" not in response.headers["Content-Type"]:
                raise TryError(f"expected a page of {server}, got {response.headers['Content-Type']}")
    say("both servers show their pages")


def reproduce(stack: Stack) -> float:
    """Run the deployment ``reproduce`` up to the report; return the seconds that it took.

    Raises:
        TryError: the run did not complete.
    """
    deployment = stack.call("prefect", "/api/deployments/name/reproduce/reproduce")["id"]
    path = f"/api/deployments/{deployment}/create_flow_run"
    flow_run = stack.call("prefect", path, {"parameters": {"targets": ["report"]}})["id"]
    state = {}

    def ended() -> bool:
        state.update(stack.call("prefect", f"/api/flow_runs/{flow_run}")["state"])
        return state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

    took = wait("the run of `reproduce` ended", RUN_SECONDS, ended)
    if state["type"] != "COMPLETED":
        say(stack.compose("logs", "--tail", "60", "worker"))
        raise TryError(f"expected the run to complete, got {state['type']}: {state.get('message')}")
    return took


def look(stack: Stack) -> dict[str, list[str]]:
    """The names of completed flows in Prefect, and of finished runs in MLflow."""
    runs = stack.call(
        "prefect", "/api/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}, "limit": 200}
    )
    flows = {flow["id"]: flow["name"] for flow in stack.call("prefect", "/api/flows/filter", {"limit": 200})}
    experiments = stack.call("mlflow", "/api/2.0/mlflow/experiments/search", {"max_results": 100})["experiments"]
    found = stack.call(
        "mlflow",
        "/api/2.0/mlflow/runs/search",
        {"experiment_ids": [each["experiment_id"] for each in experiments], "filter": "status = 'FINISHED'"},
    )
    return {
        "prefect_flows": sorted({flows[each["flow_id"]] for each in runs}),
        "mlflow_runs": sorted(each["info"]["run_name"] for each in found.get("runs", [])),
    }


def verify(stack: Stack, suspect: str) -> str:
    """The verdict of the verify image on one suspect, without network and with nothing but /tmp to write to."""
    return run(
        *("docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
        *("--volume", f"{stack.name}_out:/work:ro", f"naturalfinger-verify:{VERSION}"),
        *("verify", f"smoke/onnx/{suspect}.onnx", "--queries", "smoke/fingerprints/naturalfinger"),
        check=False,  # the exit status says what the verdict is
    )


@contextlib.contextmanager
def smoke_params() -> Iterator[Path]:
    """The project's settings with the smoke profile in use."""
    text = (ROOT / "params.yaml").read_text()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the worker is another user
        path = Path(folder) / "params.yaml"
        path.write_text(re.sub(r"(?m)^profile: .*$", "profile: smoke", text, count=1))
        yield path


def main() -> None:
    """Do all of it and print the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-image", help="Build on this image, and PostgreSQL too. [default: the Dockerfiles']")
    parser.add_argument("--network", default="default", help="Network of the builds.")
    parser.add_argument("--sqlite", action="store_true", help="Keep records in SQLite instead of PostgreSQL.")
    options = parser.parse_args()
    record: dict[str, Any] = {"images": build(options.base_image, options.network)}
    with smoke_params() as params:
        stack = Stack(params, postgres=not options.sqlite, local_postgres=bool(options.base_image))
        try:
            record["healthy_after_seconds"] = start(stack)
            check_refusals(stack)
            check_pages(stack)
            record["reproduce_seconds"] = reproduce(stack)
            stack.compose("up", "--detach", "--force-recreate", "--no-deps", "worker")
            wait("a new worker is healthy", START_SECONDS, lambda: stack.healthy("worker"))
            record["again_in_a_new_container_seconds"] = reproduce(stack)
            record.update(look(stack))
            record["verdicts"] = {suspect: verify(stack, suspect) for suspect in (THIEF, HONEST)}
        finally:
            stack.compose("down", "--volumes", "--timeout", "20", check=False)
    print(json.dumps(record, indent=2))  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except TryError as error:
        sys.exit(f"error: {error}")
