"""What the process that asks a suspect cannot do any more, shown in a process that is shut in as it is."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from nf.core.errors import SuspectError
from nf.suspects import IsolatedSuspect, isolated
from nf.suspects.isolated import _environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fence is Linux's")

Write = Callable[[str | onnx.ModelProto], Path]
BLACK = np.zeros((1, 1, 4, 4), np.uint8)

TRIED = """
import ctypes, encodings.idna, os, socket, subprocess, sys
from pathlib import Path
from nf.suspects.child import fence
gaps = fence(Path(sys.argv[1]))
secret, port = sys.argv[2], int(sys.argv[3])
def parent():
    os.kill(os.getppid(), 0)
def connect():
    socket.create_connection(("127.0.0.1", port), 2)
def unix():
    socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock")
def ring():
    if ctypes.CDLL(None, use_errno=True).syscall(425, 1, ctypes.create_string_buffer(200)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring")
attempts = {
    "connect": connect, "unix": unix, "io_uring": ring, "program": lambda: os.execv("/bin/true", ["true"]),
    "secret": lambda: Path(secret).read_bytes(), "write": lambda: Path(secret + ".new").write_bytes(b"x"),
    "write beside": lambda: Path(sys.argv[1] + ".new").write_bytes(b"x"), "remove": lambda: os.unlink(sys.argv[1]),
    "temporary": lambda: Path("/tmp/nf-fence").write_bytes(b"x"), "kill": parent,
    "environment": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "memory": lambda: open(f"/proc/{os.getppid()}/mem", "rb"),
    "own file": lambda: Path(sys.argv[1]).read_bytes(), "beside": lambda: Path(sys.argv[1] + ".bin").read_bytes(),
}
def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return error.errno in (1, 13)
    return "done"
print(gaps, {name: outcome(attempt) for name, attempt in attempts.items()})
"""


def _try(file: Path, secret: Path, port: int, *before: str) -> str:
    command = [*before, sys.executable, "-c", TRIED, str(file), str(secret), str(port)]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "queries.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"secret")
    return path


@pytest.fixture
def port() -> "object":
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


DENIED = (
    *("connect", "unix", "io_uring", "program", "secret", "write", "write beside", "remove", "temporary"),
    *("kill", "environment", "memory"),
)


def test_there_is_no_network_no_program_no_file_but_the_suspects(tmp_path: Path, secret: Path, port: int) -> None:
    (tmp_path / "suspect").mkdir()
    file = tmp_path / "suspect" / "suspect.onnx"
    file.write_bytes(b"network")
    file.with_name("suspect.onnx.bin").write_bytes(b"weights")
    said = _try(file, secret, port)
    assert said == f"[] { {**dict.fromkeys(DENIED, True), 'own file': 'done', 'beside': 'done'} }"
    assert file.read_bytes() == b"network"


def test_what_could_not_be_shut_is_said_once(
    write: Write, linear: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In a process whose kernel has neither Landlock nor seccomp, as far as it can tell."""
    code = (
        "import platform, sys; from pathlib import Path; from nf.core import sandbox; from nf.suspects import child\n"
        "platform.machine = lambda: 'mips'; sandbox._CREATE_RULESET = 10_000\n"
        "child.main(Path(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))"
    )
    run = subprocess.run
    monkeypatch.setattr(
        subprocess, "run", lambda command, **rest: run([command[0], "-c", code, "", "", "", *command[4:]], **rest)
    )
    isolated._warn_once.cache_clear()
    path = write(linear)
    with caplog.at_level(logging.WARNING):
        assert IsolatedSuspect(path, "logits")(BLACK).shape == (1, 3)
        assert IsolatedSuspect(path, "logits")(BLACK).shape == (1, 3)
    isolated._warn_once.cache_clear()
    (message,) = [record.getMessage() for record in caplog.records]
    assert "could not be shut in fully (no other files: Function not implemented; no programs: not known for mips" in (
        message
    )
    assert os.linesep not in message


def test_a_message_that_pretends_to_be_the_fence_is_none(write: Write, model: onnx.ModelProto) -> None:
    model.graph.output.add(name="fence: nothing")
    with pytest.raises(SuspectError, match="fence: nothing") as caught:
        IsolatedSuspect(write(model), "logits")(BLACK)
    assert str(caught.value).isprintable()
