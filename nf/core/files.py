"""Files written whole or not at all, JSON records and content hashes."""

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nf.core.errors import ArtifactError

TEMPORARY_SUFFIX = ".tmp"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed to disk and renamed, otherwise removed.

    Raises:
        ArtifactError: the disk is full or the folder is not writable; what was at ``path`` is untouched.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX, dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        temporary.chmod(0o666 & ~_UMASK)
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def open_lock(path: Path) -> IO[str]:
    """Open the empty file ``path`` for ``fcntl.flock``; file and folder are made where they are missing.

    Raises:
        ArtifactError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        f"cannot write {path}: {error.strerror or error}; free some space or fix the permissions and run again"
    )


def _read_umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


_UMASK = _read_umask()  # once: it is the whole process's, and is another for a moment


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all; raises as ``atomic_path``."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all; raises as ``atomic_path``."""
    write_bytes(path, text.encode())


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write ``rows`` below ``header`` as CSV with Unix line ends, whole or not at all; raises as ``atomic_path``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_csv(path: Path, columns: Mapping[str, Callable[[str], Any]], *, advice: str) -> list[dict[str, Any]]:
    """The rows of a CSV file that ``write_csv`` wrote, by column.

    Args:
        path: file to read.
        columns: function that converts the text of a cell to its value, by the names of the columns that are read.
        advice: what the message tells the user to do if the file is not as it should be.

    Raises:
        ArtifactError: the file is missing or damaged: it has no rows, lacks a column or cells, or one has no value.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle, strict=True)
            rows, header = list(reader), reader.fieldnames or []
    except FileNotFoundError:
        raise ArtifactError(f"expected a table at {path}, found nothing; {advice}") from None
    except (OSError, ValueError, csv.Error) as error:
        raise ArtifactError(f"{path} is damaged ({error}); {advice}") from error
    missing = [column for column in columns if column not in header]
    if missing:
        raise ArtifactError(f"{path} is damaged: expected a column {missing[0]!r}, got {list(header)}; {advice}")
    if not rows or any(None in row or None in row.values() for row in rows):
        raise ArtifactError(f"{path} is damaged: expected rows of {len(header)} cells, got none or others; {advice}")
    try:
        return [{column: convert(row[column]) for column, convert in columns.items()} for row in rows]
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged ({error}); {advice}") from error


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no white space: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as indented JSON with sorted keys, whole or not at all; raises as ``atomic_path``."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path, *, advice: str = "") -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: the file to read.
        advice: what the message tells the user to do if the file is missing.

    Raises:
        ArtifactError: the file is missing, or is not a JSON object.
    """
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        then = f"; {advice}" if advice else ""
        raise ArtifactError(f"expected a JSON file at {path}, found nothing{then}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"expected JSON in {path}: {error}") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"expected a JSON object in {path}, got {type(value).__name__}")
    return value


def restore(path: Path) -> str:
    """What to do about a damaged file or folder, for the end of a message."""
    return f"restore it with `dvc checkout --force {path}`"


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_json(value: Mapping[str, object] | list[object]) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of ``value``."""
    return sha256_bytes(canonical_json(value).encode())


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
