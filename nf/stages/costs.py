"""What a run costs: seconds of each of its parts, and how busy the GPU was meanwhile."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nf.core.files import read_notes, write_sealed

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
    """Sums over all calls that worked on a part, in a file beside the artifacts; parts may be under way at once."""

    def __init__(self, path: Path, utilisation: Utilisation) -> None:
        self._path = path
        self._utilisation = utilisation
        self._entries: dict[str, dict[str, Any]] = read_notes(path)
        self._lock = threading.Lock()

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        """By name ``seconds``, ``calls``, and how busy the GPU was: ``utilisation`` in percent, mean of ``samples``."""
        return {name: entry for name, entry in self._entries.items() if name != WHOLE}

    @property
    def whole(self) -> dict[str, Any] | None:
        """The same of all parts together: less than their sum, as some are made at once."""
        return self._entries.get(WHOLE)

    @contextmanager
    def entry(self, name: str) -> Iterator[None]:
        """Count what happens within towards the part ``name``, or ``WHOLE``, also where it ends in an exception."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds, samples = time.perf_counter() - started, self._utilisation.since(started)
            with self._lock:
                self._add(name, seconds, samples)

    def _add(self, name: str, seconds: float, samples: list[float]) -> None:
        known = self._entries.get(name, {"seconds": 0.0, "calls": 0, "utilisation": None, "samples": 0})
        count = known["samples"] + len(samples)
        total = (known["utilisation"] or 0.0) * known["samples"] + sum(samples)
        self._entries[name] = {
            "seconds": round(known["seconds"] + seconds, 1),
            "calls": known["calls"] + 1,
            "utilisation": round(total / count, 2) if count else None,
            "samples": count,
        }
        write_sealed(self._path, self._entries)
