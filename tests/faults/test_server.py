"""The private Prefect server of a pipeline: what happens to it happens to nobody else."""

import os
import signal
import time
import urllib.request

import psutil
import pytest

from flows import server
from flows.server import prefect_server, wait_for_server
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
