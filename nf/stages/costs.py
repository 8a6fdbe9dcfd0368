"""What a run costs: seconds of each of its parts, and how busy the GPU was meanwhile."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from nf.core.files import read_notes
from nf.stages.run import Run

_COMMAND = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=500", "--id=0")

WHOLE = "whole"
"""The entry of all parts together."""


class Utilisation:
    """Takes each line that ``command`` prints for a sample in percent. Use it as a context manager.

    Where the command is not installed there are no samples: a machine without a GPU has no utilisation.
    """

    def __init__(self, command: tuple[str, ...] = _COMMAND) -> None:
        self._command = command
        self._samples: list[tuple[float, float]] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Utilisation":
        if shutil.which(self._command[0]):
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
            self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._reader.join()

    def since(self, started: float) -> list[float]:
        """Samples since ``started``, a value of ``time.perf_counter``."""
        return [sample for at, sample in self._samples if at >= started]

    def _read(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if line.strip().isdigit():
                    self._samples.append((time.perf_counter(), float(line)))


class CostLog:
    """Sums over all calls that worked on a part, in ``costs.json`` beside the artifacts of ``run``.

    Parts may be under way at once, also in other processes with a log of their own.
    """

    def __init__(self, run: Run, utilisation: Utilisation) -> None:
        self._run = run
        self._path = run.layout.root / "costs.json"
        self._utilisation = utilisation

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        """By name ``seconds``, ``calls``, and how busy the GPU was: ``utilisation`` in percent, mean of ``samples``."""
        return {name: entry for name, entry in read_notes(self._path).items() if name != WHOLE}

    @property
    def whole(self) -> dict[str, Any] | None:
        """The same of all parts together: less than their sum, as some are made at once."""
        return read_notes(self._path).get(WHOLE)

    @contextmanager
    def entry(self, name: str) -> Iterator[None]:
        """Count what happens within towards the part ``name``, or ``WHOLE``, also where it ends in an exception."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds, samples = time.perf_counter() - started, self._utilisation.since(started)
            self._run.change_note(self._path, name, lambda known: _sum(known, seconds, samples))


def _sum(known: dict[str, Any] | None, seconds: float, samples: list[float]) -> dict[str, Any]:
    """The entry ``known`` with one more call; ``None`` is none yet."""
    known = known or {"seconds": 0.0, "calls": 0, "utilisation": None, "samples": 0}
    count = known["samples"] + len(samples)
    total = (known["utilisation"] or 0.0) * known["samples"] + sum(samples)
    return {
        "seconds": round(known["seconds"] + seconds, 1),
        "calls": known["calls"] + 1,
        "utilisation": round(total / count, 2) if count else None,
        "samples": count,
    }
