"""A Prefect server for as long as one pipeline runs.

Without it each stage would start one of its own and wait until it answers. What it holds is of use to whoever looks at
runs, and to nobody else: one that dies is replaced while the pipeline goes on, and a database that it cannot read is
set aside.
"""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.environment import PREFECT_HOME
from nf.core.errors import NFError
from nf.core.files import close_folder
from nf.core.processes import die_with_parent

if TYPE_CHECKING:
    import httpx

_PRIVATE = "NF_PRIVATE_PREFECT_API"
"""Variable of the environment with the address of a server of ours, which is replaced if it dies."""

_START_SECONDS = 240
_STOP_SECONDS = 15
_POLL_SECONDS = 0.25
_RESTARTS = 5
"""How often a server that dies is replaced: one that dies again and again will not stay."""

_logger = logging.getLogger(__name__)


@contextmanager
def prefect_server() -> Iterator[None]:
    """Run a private server on loopback and point ``PREFECT_API_URL`` to it, unless it points to one already.

    Raises:
        NFError: the server does not answer, not even with a fresh database; its log says why.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    server = _Server(_free_port())
    server.start()
    names = ("PREFECT_API_URL", _PRIVATE)
    os.environ.update(dict.fromkeys(names, server.api))
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        server.stop()


@contextmanager
def reported_to_server(*, optional: bool = True) -> Iterator[None]:
    """Speak with a Prefect server within; that it is away, or does not do its work, is one line.

    Args:
        optional: whether the same can be had without it, as runs of flows can.

    Raises:
        NFError: it is so.
    """
    import httpx  # what Prefect speaks with; nobody else's errors of it come so far

    try:
        yield
    except (RuntimeError, httpx.HTTPError) as error:
        cause = error if isinstance(error, httpx.HTTPError) else error.__cause__
        if not isinstance(cause, httpx.HTTPError):
            raise
        raise NFError(_what_is_wrong(cause, optional=optional)) from error


def _what_is_wrong(error: "httpx.HTTPError", *, optional: bool) -> str:
    import httpx

    place = urlsplit(os.environ.get("PREFECT_API_URL", ""))
    api = place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()  # without a password
    if not api:
        found, advice = "that was started for this run failed", "run again"
    elif not isinstance(error, httpx.HTTPStatusError):
        found = f"at {api} cannot be reached"
        advice = "start it, or unset PREFECT_API_URL to run without it" if optional else "start it"
    else:
        found = f"at {api} answered {error.response.status_code} {error.response.reason_phrase}".strip()
        if error.response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            advice = "set PREFECT_API_AUTH_STRING or PREFECT_API_KEY"
        else:
            advice = "its log says why"
    return f"the Prefect server {found}: {advice}; what is finished is kept"


def wait_for_server() -> None:
    """Wait until the server at ``PREFECT_API_URL`` answers if it is a private one, which may just be replaced."""
    api = os.environ.get("PREFECT_API_URL", "")
    if api and api == os.environ.get(_PRIVATE):
        deadline = time.monotonic() + _START_SECONDS
        while not _healthy(api) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


class _Server:
    """A server process that is replaced if it dies.

    Args:
        port: port on loopback that the server and its replacements listen on.
    """

    def __init__(self, port: int) -> None:
        self.api = f"http://127.0.0.1:{port}/api"
        self._port = port
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._failed: NFError | None = None
        # A process of ours dies with the thread that started it, so one thread starts them all and stays.
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            NFError: it does not, or its folder cannot be written.
        """
        close_folder(PREFECT_HOME)
        self._thread.start()
        self._started.wait()
        if self._failed is not None:
            self.stop()
            raise self._failed

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self._thread.join()

    def _supervise(self) -> None:
        try:
            self._keep_alive()
        except OSError as error:  # the folder cannot be written: whoever waits for the server learns of it
            self._failed = NFError(f"the Prefect server did not start: {error}")
        finally:
            self._started.set()

    def _keep_alive(self) -> None:
        process = self._launch()
        if not self._answers(process):
            self._end(process)
            _logger.warning("the Prefect server did not start; its database is set aside in %s", _set_aside_database())
            process = self._launch()
            if not self._answers(process):
                self._failed = NFError(f"the Prefect server did not start; see {PREFECT_HOME / 'server.log'}")
        self._started.set()
        for left in reversed(range(_RESTARTS + 1)):
            while process.poll() is None and not self._stopping.wait(_POLL_SECONDS):
                pass
            if self._stopping.is_set() or self._failed or not left:
                break
            _logger.warning(
                "the Prefect server ended with status %s; the pipeline goes on, and another starts", process.returncode
            )
            process = self._launch()
        self._end(process)

    def _launch(self) -> "subprocess.Popen[bytes]":
        with (PREFECT_HOME / "server.log").open("a" if self._started.is_set() else "w") as output:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "prefect", "server", "start", "--no-ui"),
                    *("--host", "127.0.0.1", "--port", str(self._port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is not for it: stages report to it how they ended
                preexec_fn=die_with_parent,
            )

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        """Whether it answers within its time and before it ends."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if _healthy(self.api):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _healthy(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _set_aside_database() -> Path:
    """Move the database away, with what SQLite keeps beside it, and return its new place."""
    place = PREFECT_HOME / f"damaged-{time.time_ns()}"
    place.mkdir()
    for path in PREFECT_HOME.glob("prefect.db*"):
        path.rename(place / path.name)
    return place
