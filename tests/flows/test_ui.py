"""``make ui``: a server that does not start is said, and takes the other along."""

import signal
import socket
import subprocess
import sys

import pytest

from flows import ui
from nf.core.errors import NFError


@pytest.fixture
def started(monkeypatch):
    """The processes that are started, in order."""
    processes, real = [], subprocess.Popen

    def start(*arguments, **options):
        processes.append(real(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(ui.subprocess, "Popen", start)
    return processes


@pytest.mark.parametrize("first_ends", [True, False])
def test_when_one_server_ends_so_does_the_other(tmp_path, started, first_ends):
    def server(name, option, module):
        return ui._Server(name, option, 4200, tmp_path / f"{name}.log", (module, "127.0.0.1"))

    (tmp_path / "stays.py").write_text("import time\ntime.sleep(300)\n")
    (tmp_path / "ends.py").write_text("import sys\nsys.exit('port in use')\n")
    servers = [server("Ends", "--ends-port", "ends"), server("Stays", "--stays-port", "stays")]
    with pytest.raises(NFError) as caught:
        ui._run(servers if first_ends else servers[::-1], {"PYTHONPATH": str(tmp_path)})
    line = f"Ends: expected it to serve on port 4200, it ended with status 1; {tmp_path / 'Ends.log'} says why"
    assert str(caught.value).startswith(line)
    assert "--ends-port" in str(caught.value)
    assert (tmp_path / "Ends.log").read_text() == "port in use\n"
    assert sorted(process.returncode for process in started) == [-signal.SIGTERM, 1]


@pytest.mark.slow
def test_a_port_that_is_taken_is_one_line(tmp_path):
    """The command itself, on stores of its own."""
    code = (
        "import sys; from pathlib import Path; import flows.environment as e;"
        "e.MLFLOW_HOME, e.PREFECT_HOME = Path(sys.argv[1]), Path(sys.argv[1]);"
        "from flows.__main__ import cli; cli(sys.argv[2:])"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as probe:
        port, free = taken.getsockname()[1], probe.getsockname()[1]
        probe.close()
        command = (str(tmp_path), "ui", "--prefect-port", str(port), "--mlflow-port", str(free))
        result = subprocess.run(
            [sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=240, check=False
        )
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: Prefect: expected it to serve on port {port}, it ended with status 1; ")
    assert len(result.stderr.splitlines()) == 1
    assert f"Port {port} is already in use" in (tmp_path / "ui.log").read_text()


def test_an_address_of_a_database_is_no_argument(tmp_path, monkeypatch):
    """It may hold a password, and everybody reads the list of processes."""
    monkeypatch.setattr(ui, "MLFLOW_HOME", tmp_path)
    monkeypatch.setattr(ui, "PREFECT_HOME", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://user:secret@localhost/mlflow")
    monkeypatch.setattr(ui.signal, "signal", lambda *_: None)
    ran = []
    monkeypatch.setattr(ui, "_run", lambda servers, environment: ran.append((servers, environment)))
    ui.serve(5000, 4200)
    ((servers, environment),) = ran
    assert not [word for server in servers for word in server.command if "secret" in word]
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://user:secret@localhost/mlflow"
