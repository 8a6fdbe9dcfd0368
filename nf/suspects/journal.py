"""Answers written down as they come, so that a run that is cut goes on where it was."""

import base64
import json
import os
from collections import Counter
from pathlib import Path

from nf.core.errors import ArtifactError
from nf.core.files import make_folder, sha256_bytes
from nf.core.http import Reply

_KEPT_HEADERS = ("inference-header-content-length",)  # without which a body cannot be read


class Journal:
    """A file of a JSON object a line, one for each answer, that its owner alone can read.

    An answer is known by what was sent. If the same is sent again in one run, that is another question, with an answer
    of its own: only so can a suspect be caught that answers differently each time.

    Args:
        folder: folder of journals, made where there is none.
        suspect: whom the journal is about, which its file is named after.

    Raises:
        ArtifactError: the file cannot be made or read.
    """

    def __init__(self, folder: Path, suspect: str) -> None:
        self.path = folder / f"{sha256_bytes(suspect.encode())[:16]}.jsonl"
        self._asked: Counter[str] = Counter()
        self._known: dict[str, Reply] = {}
        try:
            make_folder(folder)
            if self.path.exists():
                self._known = dict(_read_lines(self.path.read_bytes()))
        except OSError as error:
            raise self._unusable(error) from error

    def key(self, question: bytes) -> str:
        """What this ``question`` is known by, the next time it is asked in this run."""
        digest = sha256_bytes(question)
        self._asked[digest] += 1
        return f"{digest}-{self._asked[digest]}"

    def find(self, key: str) -> Reply | None:
        """The answer that was written down."""
        return self._known.get(key)

    def write(self, key: str, reply: Reply) -> None:
        """Write an answer down, on the disk when this returns.

        Raises:
            ArtifactError: the disk is full or the folder is gone.
        """
        headers = {name: reply.headers[name] for name in _KEPT_HEADERS if name in reply.headers}
        line = {"key": key, "body": base64.b64encode(reply.body).decode(), "headers": headers}
        try:
            # A line that was cut short is ended first, so that it spoils none but itself.
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                size = file.seek(0, os.SEEK_END)
                whole = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
                file.write((b"" if whole else b"\n") + json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise self._unusable(error) from error
        self._known[key] = reply

    def close(self) -> None:
        """Forget all: the run is complete, and the next one asks anew."""
        self._known.clear()
        self._asked.clear()
        self.path.unlink(missing_ok=True)

    def _unusable(self, error: OSError) -> ArtifactError:
        return ArtifactError(f"{self.path}: expected a journal of answers, cannot use it: {error.strerror}")


def _read_lines(data: bytes) -> list[tuple[str, Reply]]:
    """The lines that are whole: the last one may not be, where the process ended while it was written."""
    known = []
    for line in data.split(b"\n"):
        try:
            told = json.loads(line)
            headers = {str(name): str(value) for name, value in told["headers"].items()}
            known.append((str(told["key"]), Reply(base64.b64decode(told["body"], validate=True), headers)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return known
