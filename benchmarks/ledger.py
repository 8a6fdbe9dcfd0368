"""What a run costs: seconds of each of its parts, and how busy the GPU was meanwhile."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nf.core.files import read_json, write_json

_COMMAND = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=500", "--id=0")


class Utilisation:
    """Takes each line that ``command`` prints for a sample in percent. Use it as a context manager.

    Where the command is not installed there are no samples: a machine without a GPU has no utilisation.
    """

    def __init__(self, command: tuple[str, ...] = _COMMAND) -> None:
        self._command = command
        self._samples: list[float] = []
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

    def take(self) -> list[float]:
        """Samples since the last call."""
        taken, self._samples = self._samples, []
        return taken

    def _read(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if line.strip().isdigit():
                    self._samples.append(float(line))


class Ledger:
    """Each part's sums over all calls that worked on it, in a file beside the artifacts.

    Attributes:
        parts: by name ``seconds``, ``calls``, and ``utilisation`` in percent as the mean of ``samples``.
    """

    def __init__(self, path: Path, utilisation: Utilisation) -> None:
        self._path = path
        self._utilisation = utilisation
        self.parts: dict[str, dict[str, Any]] = read_json(path) if path.exists() else {}

    @contextmanager
    def entry(self, name: str) -> Iterator[None]:
        """Count what happens within towards the part ``name``, also where it ends in an exception."""
        started = time.perf_counter()
        self._utilisation.take()
        try:
            yield
        finally:
            self._add(name, time.perf_counter() - started, self._utilisation.take())

    def _add(self, name: str, seconds: float, samples: list[float]) -> None:
        known = self.parts.get(name, {"seconds": 0.0, "calls": 0, "utilisation": None, "samples": 0})
        count = known["samples"] + len(samples)
        total = (known["utilisation"] or 0.0) * known["samples"] + sum(samples)
        self.parts[name] = {
            "seconds": round(known["seconds"] + seconds, 1),
            "calls": known["calls"] + 1,
            "utilisation": round(total / count, 2) if count else None,
            "samples": count,
        }
        write_json(self._path, self.parts)
