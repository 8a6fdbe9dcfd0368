"""A Prefect server, a Dask scheduler and two workers on loopback, of which one is to be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

START_SECONDS = 300


class Cluster:
    """Processes under way.

    Attributes:
        address: of the Dask scheduler.
        environment: variables of whatever runs a flow on it.
        scheduler: its process.
        workers: theirs.
    """

    def __init__(self, place: Path, environment: Mapping[str, str], running: ExitStack) -> None:
        self._place, self._running = place, running
        port, dask = _free_port(), _free_port()
        url = f"http://127.0.0.1:{port}/api"
        own = {"PREFECT_HOME": str(place / ".prefect"), "PREFECT_API_URL": url, "OMP_NUM_THREADS": "1"}
        self.environment = {**environment, **own, "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "true"}
        self.address = f"tcp://127.0.0.1:{dask}"
        self._start("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui")
        self.scheduler = self._start(
            *("dask", "scheduler", "--host=127.0.0.1", f"--port={dask}", "--dashboard-address=127.0.0.1:0")
        )
        self.workers = [self._worker(name) for name in ("first", "second")]
        _wait_for(f"{url}/health")

    def _start(self, *command: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self._place,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._running.callback(_end, process)
        return process

    def _worker(self, name: str) -> "subprocess.Popen[bytes]":
        """A worker without a nanny: killed, it stays dead."""
        return self._start(
            *("dask", "worker", self.address, "--host=127.0.0.1", "--nthreads=1", "--no-nanny", "--no-dashboard"),
            *(f"--name={name}", f"--local-directory={self._place / 'dask'}", "--preload=flows.worker"),
        )


@contextmanager
def cluster(place: Path, environment: Mapping[str, str]) -> Iterator[Cluster]:
    """One in the folder ``place``, which is ended with the block; its server has answered.

    Raises:
        TimeoutError: it does not answer in minutes.
    """
    with ExitStack() as running:
        yield Cluster(place, environment, running)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """A whole group: a server has children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise TimeoutError(f"{url}: expected an answer within {START_SECONDS} s, got none")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
