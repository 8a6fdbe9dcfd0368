"""Asking a suspect from outside: a process of its own, with a memory limit, a time limit and nothing worth reading.

The checks of ``nf.suspects.inspect_onnx`` refuse what shows; a network that allocates without end, computes for
ever or crashes the runtime shows only when it runs.
"""

import logging
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.errors import ConfigError, NoVerdictError, SuspectError
from nf.core.interface import NOTHING_STATED, Interface
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.core.sections import parse_section
from nf.suspects.answers import check_answers
from nf.suspects.files import MAX_BYTES, find_beside, read_file
from nf.suspects.formats import HEAD_BYTES, is_openvino
from nf.suspects.inspect_onnx import LOCATION
from nf.suspects.interpret import Raw
from nf.suspects.probe import Found
from nf.suspects.transport import pack, unpack, unpack_raws

GIBIBYTE = 1 << 30
FENCE = "fence: "
"""What the first line of the child's standard error begins with; what follows could not be done to shut it in."""
REFUSED = 2
NO_VERDICT = 3
# The time limit is kept here. The child may compute for that much longer: it ends by itself where nobody can stop it.
_SPARE_SECONDS = 5
_COPIES = 6  # of a network's weights: as read, as parsed, as the runtime keeps them, each maybe twice
_NETWORKS = (".onnx", ".xml", ".tflite", ".csv")

_MOST_SAID = 1 << 16  # bytes of standard error that are looked at

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IsolatedSuspect:
    """A suspect in a file that is asked in a process of its own; see ``nf.core.predictor.Predictor``.

    Each call starts a process in an empty folder, without this process's environment; it ends with this one even if
    that is killed. It has no network, starts no programs, writes no files and reads none but the suspect's, as far as
    the kernel lets it shut itself in; what it does not is logged. Images and answers pass as ``.npy``, never as a
    pickle.

    Attributes:
        path: the suspect's file.
        output: what its answers mean.
        timeout_seconds: wall-clock limit, the start of the process (a second or so) included.
        memory_bytes: limit of its address space; where none is given, a gibibyte, and six times what its files have.
        interface: what is stated of how it is asked.

    Raises:
        ConfigError: there is no folder for temporary files.
    """

    path: Path
    output: OutputKind
    timeout_seconds: float = 60.0
    memory_bytes: int | None = None
    interface: Interface = NOTHING_STATED

    def __post_init__(self) -> None:
        _temporary_folder()  # before anybody notes that the suspect has seen the queries

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Answer ``images`` (N, C, H, W), N >= 1: (N, classes) float32 scores, or (N,) int64 labels.

        Raises:
            SuspectError: whatever ``NetworkSuspect`` raises; the process was too slow, ran out of memory or crashed.
        """
        data = self._do({"task": "predict", "output": self.output, "interface": self.interface.to_json()}, [images])
        # The child may not be what was started any more, so its answers are checked as if it were the suspect.
        try:
            _, arrays = unpack(data)
            return check_answers(arrays[0], self.output, len(images))
        except (ValueError, IndexError) as error:
            raise self._garbled(data) from error
        except SuspectError as error:
            raise SuspectError(f"{self.path}: {error}") from None

    def find(self, controls: Controls, num_classes: int) -> Found:
        """How it wants to be asked, by its answers to ``controls``; see ``nf.suspects.probe.find``.

        Raises:
            NoVerdictError: it answers too few of them rightly, however it is asked.
            SuspectError: as when it is called.
        """
        names = ("class_names", "mean", "std", "usual", "source_accuracy", "honest_accuracy")
        facts = {name: getattr(controls, name) for name in names}
        task = {"task": "find", "interface": self.interface.to_json(), "num_classes": num_classes, **facts}
        data = self._do(task, [controls.images, controls.labels])
        try:
            header, _ = unpack(data)
            del header["arrays"]
            card = parse_section(_FoundCard, header, "found")
            if card.controls != len(controls) or len(card.labels) != len(controls):
                raise self._garbled(data)
            return card.as_found()
        except (ValueError, KeyError) as error:
            raise self._garbled(data) from error

    def ask(self, images: NDArray[np.uint8], hows: Sequence[Interface]) -> list[dict[str, Raw]]:
        """Its answers to ``images`` by output, asked in each of the ways ``hows``.

        Raises:
            SuspectError: as when it is called.
        """
        data = self._do({"task": "ask", "interfaces": [how.to_json() for how in hows]}, [images])
        try:
            return unpack_raws(data, len(hows))
        except ValueError as error:
            raise self._garbled(data) from error

    def weights(self) -> list[Path]:
        """The files beside its own that it says its weights lie in; it is inspected for that, and not run.

        Raises:
            SuspectError: it is missing, too large or none that can be asked, or they are no plain files beside it.
        """
        content = read_file(self.path)
        if LOCATION.encode() not in content and not is_openvino(content[:HEAD_BYTES]):
            return []  # as most are, without another process
        data = self._do({"task": "weights"}, [])
        try:
            names = [str(name) for name in unpack(data)[0]["names"]]
        except (ValueError, KeyError, TypeError) as error:
            raise self._garbled(data) from error
        found: list[Path] = []
        left = MAX_BYTES - len(content)
        try:
            for name in names:
                found.append(find_beside(self.path.resolve().parent, name, left))
                left -= found[-1].stat().st_size
        except SuspectError as error:
            raise SuspectError(f"{self.path}: {error}") from None
        return found

    def _garbled(self, data: bytes) -> SuspectError:
        return SuspectError(f"{self.path}: expected answers as .npy, got {len(data)} other bytes")

    def _do(self, task: Mapping[str, Any], arrays: list[NDArray[Any]]) -> bytes:
        """What a process of its own writes about ``task``."""
        with _temporary() as (empty, stdout, stderr):
            try:
                status = self._run(pack(task, arrays), empty, stdout, stderr)
            except subprocess.TimeoutExpired:
                raise SuspectError(
                    f"{self.path}: expected answers within {self.timeout_seconds:g} seconds, got none; give it more "
                    "with --timeout, or state with --input how it is asked, so that fewer ways are tried"
                ) from None
            _warn_of_gaps(stderr)
            if status == REFUSED:
                raise SuspectError(_last_line(stderr))
            if status == NO_VERDICT:
                raise NoVerdictError(_last_line(stderr))
            if status != 0:
                raise SuspectError(
                    f"{self.path}: expected answers, the suspect's process ended with status {status}"
                    f" under a limit of {self.memory_limit / GIBIBYTE:.3g} GiB: {_last_line(stderr)}"
                )
            stdout.seek(0)
            return stdout.read()

    def _run(self, sent: bytes, empty: str, stdout: IO[bytes], stderr: IO[bytes]) -> int:
        """Start the process in the folder ``empty``, give it what is ``sent``, and return the status that it ends with.

        Raises:
            TimeoutExpired: it did not end in time, and was killed.
        """
        module = [sys.executable, "-P", "-m", "nf.suspects.child"]
        return subprocess.run(
            [*module, str(self.path.resolve()), str(self.memory_limit), str(self.cpu_seconds)],
            input=sent,
            stdout=stdout,
            stderr=stderr,
            cwd=empty,
            env=_environment(),
            timeout=self.timeout_seconds,
            check=False,
        ).returncode

    @property
    def memory_limit(self) -> int:
        """The limit of its address space in bytes."""
        if self.memory_bytes is not None:
            return self.memory_bytes
        return GIBIBYTE + _COPIES * min(_bytes_of(self.path), MAX_BYTES)

    @property
    def cpu_seconds(self) -> int:
        """The limit that the process sets itself, a little beyond the one that is kept here."""
        return math.ceil(self.timeout_seconds) + _SPARE_SECONDS


def _bytes_of(path: Path) -> int:
    """Size of the file at ``path`` and of those beside it that are no networks themselves, but may hold weights."""
    total = 0
    with suppress(OSError):  # told where it is read
        total += path.stat().st_size
        beside = (each for each in path.parent.iterdir() if each.suffix.lower() not in _NETWORKS and each != path)
        total += sum(each.lstat().st_size for each in beside if each.is_file())
    return total


@dataclass(frozen=True)
class _FoundCard:
    """``Found`` as it comes from the other process, whose word is checked."""

    interface: Interface
    right: int
    controls: int
    tried: int
    labels: tuple[int, ...]
    rivals: tuple[Interface, ...]

    def as_found(self) -> Found:
        return Found(self.interface, self.right, self.controls, self.tried, self.labels, self.rivals)


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


def _environment() -> dict[str, str]:
    """Where to find Python's modules and shared libraries; one thread, as each reserves address space."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    modules = os.pathsep.join(entry for entry in sys.path if entry)
    return {**kept, "PYTHONPATH": modules, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _warn_of_gaps(stderr: IO[bytes]) -> None:
    stderr.seek(0)
    first = stderr.readline(_MOST_SAID).decode(errors="replace")
    if first.startswith(FENCE) and first.removeprefix(FENCE).strip():
        _warn_once(printable(first.removeprefix(FENCE).strip()))


@lru_cache(maxsize=1)
def _warn_once(gaps: str) -> None:
    _logger.warning(
        "the process that asks suspects could not be shut in fully (%s); for files that you do not trust, use a "
        "machine or container that allows it, or one without network and without anything to read",
        gaps,
    )


def _last_line(stderr: IO[bytes]) -> str:
    """What the process said last, if anything, in one line that can be shown."""
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _MOST_SAID))
    lines = stderr.read().decode(errors="replace").split("\n")
    lines = [line for line in lines if not line.startswith(FENCE)]
    return next((printable(line.strip())[:500] for line in reversed(lines) if line.strip()), "no message")
