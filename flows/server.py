"""A Prefect server for as long as one pipeline runs.

Without it each stage would start one of its own and wait until it answers.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from flows.environment import PREFECT_HOME
from nf.core.errors import NFError
from nf.core.processes import die_with_parent

_START_SECONDS = 240


@contextmanager
def prefect_server() -> Iterator[None]:
    """Run a private server on loopback and point ``PREFECT_API_URL`` to it, unless it points to one already.

    Raises:
        NFError: the server does not answer; its log says why.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    port = _free_port()
    PREFECT_HOME.mkdir(parents=True, exist_ok=True)
    log = PREFECT_HOME / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is not for it: stages report to it how they ended
            preexec_fn=die_with_parent,
        )
    try:
        _wait_until_healthy(server, port)
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        yield
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        server.terminate()
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(server: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise NFError(f"the Prefect server did not start; see {PREFECT_HOME / 'server.log'}")
