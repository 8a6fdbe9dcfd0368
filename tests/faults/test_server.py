"""The private Prefect server of a pipeline: what happens to it happens to nobody else."""

import os
import signal
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import server
from flows.server import prefect_server, reported_to_server, wait_for_server
from nf.core.errors import NFError


def listener(port: int) -> psutil.Process:
    """The process that serves on ``port``."""
    for process in psutil.Process().children(recursive=True):
        if any(each.laddr.port == port for each in process.net_connections() if each.status == psutil.CONN_LISTEN):
            return process
    raise AssertionError(f"nobody listens on {port}")


def test_a_damaged_database_is_set_aside_and_a_server_that_is_killed_is_replaced(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(server, "PREFECT_HOME", tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    damaged = b"no database" * 1000
    (tmp_path / "prefect.db").write_bytes(damaged)
    with prefect_server():
        api = os.environ["PREFECT_API_URL"]
        (kept,) = tmp_path.glob("damaged-*/prefect.db")
        assert kept.read_bytes() == damaged
        port = int(api.split(":")[2].partition("/")[0])
        killed = listener(port)
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
        started = time.monotonic()
        wait_for_server()
        assert time.monotonic() - started < server._START_SECONDS
        with urllib.request.urlopen(f"{api}/health", timeout=5) as answer:
            assert answer.status == 200
        assert listener(port).pid != killed.pid
    assert "PREFECT_API_URL" not in os.environ
    assert "database is set aside" in caplog.text
    assert "another starts" in caplog.text
    assert not [each for each in psutil.Process().children(recursive=True) if "prefect" in " ".join(each.cmdline())]


def test_a_log_that_cannot_be_written_is_said_at_once(tmp_path, monkeypatch):
    """What fails in the thread that keeps the server alive reaches whoever waits for it."""
    monkeypatch.setattr(server, "PREFECT_HOME", tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    (tmp_path / "server.log").mkdir()
    started = time.monotonic()
    with pytest.raises(NFError, match=r"the Prefect server did not start: .*server\.log"), prefect_server():
        pass
    assert time.monotonic() - started < 60


class Answering(BaseHTTPRequestHandler):
    """A server that answers everything with the status in the path's first part."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def answering():
    """Address of such a server, with a password in it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"user:secret@127.0.0.1:{served.server_address[1]}"
        served.shutdown()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("401", "answered 401 Unauthorized: set PREFECT_API_AUTH_STRING"),
        ("500", "answered 500 Internal Server Error: its log"),
        ("", "cannot be reached: start it, or unset PREFECT_API_URL"),
    ],
)
def test_a_server_of_the_users_that_is_away_or_does_not_work_is_one_line(answering, path, said, monkeypatch):
    place = f"{answering}/{path}" if path else "user:secret@127.0.0.1:1"
    monkeypatch.setenv("PREFECT_API_URL", f"http://{place}/api")
    started = time.monotonic()
    with temporary_settings({PREFECT_API_URL: f"http://{place}/api"}):
        wait_for_server()  # for our own alone
        with pytest.raises(NFError) as raised, reported_to_server():
            flow(name="any")(lambda: None)()
    assert time.monotonic() - started < 60
    address = place.removeprefix("user:secret@")
    assert str(raised.value).startswith(f"the Prefect server at http://{address}/api {said}")


def test_errors_of_the_stage_itself_stay_what_they_are():
    with pytest.raises(RuntimeError, match="of its own"), reported_to_server():
        raise RuntimeError("of its own")
