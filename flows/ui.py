"""``make ui``: MLflow and Prefect on loopback, until interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from flows.environment import MLFLOW_HOME, PREFECT_HOME
from nf.core.errors import NFError
from nf.core.files import close_folder
from nf.core.processes import die_with_parent

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class _Server:
    name: str
    option: str
    port: int
    log: Path
    command: tuple[str, ...]


def serve(mlflow_port: int, prefect_port: int) -> None:
    """Run both servers on the stores of this project until interrupted; their logs lie beside the stores.

    Raises:
        NFError: one of them ended by itself; so does the other.
    """
    close_folder(MLFLOW_HOME)
    close_folder(PREFECT_HOME)
    mlflow = (
        *("mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow_port), "--workers", "1"),
        *("--artifacts-destination", (MLFLOW_HOME / "artifacts").as_uri()),
    )
    prefect = ("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(prefect_port))
    servers = (
        _Server("MLflow", "--mlflow-port", mlflow_port, MLFLOW_HOME / "server.log", mlflow),
        _Server("Prefect", "--prefect-port", prefect_port, PREFECT_HOME / "ui.log", prefect),
    )
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": os.environ["MLFLOW_TRACKING_URI"],  # which may hold a password: no argument
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # ten processes that nothing here needs
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{prefect_port}/api",
    }
    sys.stdout.write(f"MLflow   http://127.0.0.1:{mlflow_port}\nPrefect  http://127.0.0.1:{prefect_port}\n")
    sys.stdout.write("They answer within half a minute. Ctrl-C ends both.\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        _run(servers, environment)


def _run(servers: Iterable[_Server], environment: Mapping[str, str]) -> None:
    """Run ``servers`` until one of them ends."""
    running: list[tuple[_Server, subprocess.Popen[bytes]]] = []
    with ExitStack() as stack:
        try:
            for server in servers:
                process = subprocess.Popen(
                    [sys.executable, "-m", *server.command],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=stack.enter_context(server.log.open("w")),
                    stderr=subprocess.STDOUT,
                    preexec_fn=die_with_parent,
                )
                running.append((server, process))
            while True:
                for server, process in running:
                    if process.poll() is not None:
                        raise NFError(
                            f"{server.name}: expected it to serve on port {server.port}, it ended with status "
                            f"{process.returncode}; {server.log} says why, and {server.option} takes another port"
                        )
                time.sleep(_POLL_SECONDS)
        finally:
            for _, process in running:
                process.terminate()
            for _, process in running:
                process.wait()
