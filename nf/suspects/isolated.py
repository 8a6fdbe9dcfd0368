"""Asking a suspect from outside: a process of its own, with a memory limit, a time limit and nothing worth reading.

The checks of ``nf.suspects.inspect_onnx`` refuse what shows; a network that allocates without end, computes for
ever or crashes the runtime shows only when it runs.
"""

import io
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import ConfigError, SuspectError
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.suspects.answers import check_answers

GIBIBYTE = 1 << 30
REFUSED = 2
# The time limit is kept here. The child may compute for that much longer: it ends by itself where nobody can stop it.
_SPARE_SECONDS = 5


@dataclass(frozen=True)
class IsolatedSuspect:
    """A suspect in an ONNX file that is asked in a process of its own; see ``nf.core.predictor.Predictor``.

    Each call starts a process in an empty folder, without this process's environment; it ends with this one even if
    that is killed. Images and answers pass as ``.npy``, never as a pickle.

    Attributes:
        path: the suspect's file.
        output: what its answers mean.
        timeout_seconds: wall-clock limit, the start of the process (a second or so) included.
        memory_bytes: limit of its address space; its libraries alone take a fifth of a gibibyte.

    Raises:
        ConfigError: there is no folder for temporary files.
    """

    path: Path
    output: OutputKind
    timeout_seconds: float = 60.0
    memory_bytes: int = 4 * GIBIBYTE

    def __post_init__(self) -> None:
        _temporary_folder()  # before anybody notes that the suspect has seen the queries

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Answer ``images`` (N, C, H, W), N >= 1: (N, classes) float32 scores, or (N,) int64 labels.

        Raises:
            SuspectError: whatever ``OnnxSuspect`` raises; the process was too slow, ran out of memory or crashed.
        """
        limits = [str(self.memory_bytes), str(math.ceil(self.timeout_seconds) + _SPARE_SECONDS)]
        module = [sys.executable, "-P", "-m", "nf.suspects.child"]
        with _temporary() as (empty, stdout, stderr):
            try:
                finished = subprocess.run(
                    [*module, str(self.path.resolve()), self.output, *limits],
                    input=to_npy(images),
                    stdout=stdout,
                    stderr=stderr,
                    cwd=empty,
                    env=_environment(),
                    timeout=self.timeout_seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise SuspectError(
                    f"{self.path}: expected answers within {self.timeout_seconds:g} seconds, got none"
                ) from None
            if finished.returncode == REFUSED:
                raise SuspectError(_last_line(stderr))
            if finished.returncode != 0:
                raise SuspectError(
                    f"{self.path}: expected answers, the suspect's process ended with status {finished.returncode}"
                    f" under a limit of {self.memory_bytes / GIBIBYTE:g} GiB: {_last_line(stderr)}"
                )
            stdout.seek(0)
            return _read_answers(self.path, stdout.read(), self.output, len(images))


@contextmanager
def _temporary() -> Iterator[tuple[str, IO[bytes], IO[bytes]]]:
    """An empty folder and two files."""
    place = _temporary_folder()
    with (
        tempfile.TemporaryDirectory(dir=place) as empty,
        tempfile.TemporaryFile(dir=place) as stdout,
        tempfile.TemporaryFile(dir=place) as stderr,
    ):
        yield empty, stdout, stderr


def _temporary_folder() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise ConfigError(
            "expected a folder for temporary files, found none that can be written: set TMPDIR, or give a container "
            "one with `--tmpfs /tmp`"
        ) from error


def to_npy(array: NDArray[np.generic]) -> bytes:
    """``array`` in numpy's file format."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _environment() -> dict[str, str]:
    """Where to find Python's modules and shared libraries; one thread, as each reserves address space."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    modules = os.pathsep.join(entry for entry in sys.path if entry)
    return {**kept, "PYTHONPATH": modules, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _last_line(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").split("\n")
    return next((printable(line.strip())[:500] for line in reversed(lines) if line.strip()), "no message")


def _read_answers(path: Path, data: bytes, output: OutputKind, count: int) -> NDArray[np.float32] | NDArray[np.int64]:
    # The child may not be what was started any more, so its answers are checked as if it were the suspect.
    try:
        return check_answers(np.lib.format.read_array(io.BytesIO(data), allow_pickle=False), output, count)
    except (ValueError, EOFError, MemoryError) as error:
        raise SuspectError(f"{path}: expected answers as .npy, got {len(data)} other bytes") from error
    except SuspectError as error:
        raise SuspectError(f"{path}: {error}") from None
