"""Files written whole or not at all and for their owner's eyes alone, JSON records and content hashes.

What the project writes tells how a thief is found: queries, seeds, calibration, who was asked what. So nobody decides
file by file which of it is secret. All of it is readable by its owner alone; to hand something out is a deliberate
``chmod``.
"""

import csv
import fcntl
import hashlib
import io
import json
import logging
import os
import shlex
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from nf.core.errors import ArtifactError

SEAL = "seal"
"""Key of the digest over all others in a JSON file that is sealed."""

_TEMPORARY_SUFFIX = ".tmp"
_SEAL_LINE = "# sha256 "
_DIGEST_LENGTH = 64
PRIVATE_FOLDER = 0o700
_OTHERS = 0o077  # the bits of a mode that let anybody but the owner in
_CLASSES = ((stat.S_IRGRP, stat.S_IXGRP), (stat.S_IROTH, stat.S_IXOTH))

_logger = logging.getLogger(__name__)


def keep_private() -> None:
    """Let this process and all that it starts make files and folders that nobody but their owner can read.

    For entry points: what this module writes is private anyway, other libraries' files are so after this alone.
    """
    os.umask(_OTHERS)


def make_folder(path: Path) -> None:
    """Make the folder ``path`` and those above it, as far as they are missing, for their owner alone.

    Raises:
        OSError: it cannot be made.
    """
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def close_folder(path: Path) -> None:
    """Make the folder ``path``, or shut others out of one that is there: what lies in it is then closed to them, too.

    Raises:
        ArtifactError: it cannot be made.
    """
    try:
        make_folder(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)
    except PermissionError:  # a folder of somebody else, who has let this user in
        _logger.warning("%s: others on this machine may read it, and it is not ours to close", path)
    except OSError as error:
        raise _unwritable(path, error) from error


def is_exposed(path: Path) -> bool:
    """Whether somebody else than its owner and root can read the file ``path``, by its mode and its folders'."""
    file, *folders = (stat.S_IMODE(each.stat().st_mode) for each in (path, *path.resolve().parents))
    return any(file & read and all(mode & enter for mode in folders) for read, enter in _CLASSES)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed to disk and renamed, otherwise removed.

    The file, and folders that are made for it, are readable by their owner alone. What a process that was killed while
    it wrote the same file has left is removed, too.

    Raises:
        ArtifactError: the disk is full or the folder is not writable; what was at ``path`` is untouched.
    """
    temporary = None
    try:
        make_folder(path.parent)
        prefix = f".{path.name}."
        _remove_left_over(path.parent, prefix)
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=_TEMPORARY_SUFFIX, dir=path.parent)
        temporary = Path(name)  # with mode 0600, which goes along when it is renamed
        with os.fdopen(descriptor) as held:
            with suppress(OSError):  # not every file system has locks
                fcntl.flock(held, fcntl.LOCK_EX)  # until this process ends, whatever ends it
            yield temporary
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remove_left_over(folder: Path, prefix: str) -> None:
    """Remove the temporary files that begin with ``prefix`` and whose writer is gone: nobody holds their lock."""
    for path in folder.iterdir():
        if path.name.startswith(prefix) and path.name.endswith(_TEMPORARY_SUFFIX):
            with suppress(OSError), path.open("rb") as left:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


class _NotKeptError(Exception):
    """Ends a trial of writing."""


def check_writable(path: Path) -> None:
    """Try whether ``path`` can be written, before long work that ends in writing it; raises as ``atomic_path``."""
    there = path.parent.is_dir()
    with suppress(_NotKeptError), atomic_path(path):
        raise _NotKeptError
    if not there:
        path.parent.rmdir()


def open_lock(path: Path) -> IO[str]:
    """Open the empty file ``path`` for ``fcntl.flock``; file and folder are made where they are missing.

    Raises:
        ArtifactError: the file cannot be made.
    """
    try:
        make_folder(path.parent)
        return open(path, "w", opener=partial(os.open, mode=0o600))
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        f"cannot write {path}: {error.strerror or error}; free some space or fix the permissions and run again"
    )


def take_away(path: Path) -> None:
    """Remove a file, if it is there: a card, before what it vouches for is written anew.

    Raises:
        ArtifactError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all; raises as ``atomic_path``."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all; raises as ``atomic_path``."""
    write_bytes(path, text.encode())


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]], *, seal: bool = True) -> None:
    """Write ``rows`` below ``header`` as CSV with Unix line ends, whole or not at all; raises as ``atomic_path``.

    Args:
        path: file to write.
        header: names of the columns.
        rows: cells of each line.
        seal: whether a last line holds a digest of those before, which ``read_csv`` checks; what other programs draw
            is not sealed.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    text = buffer.getvalue()
    write_text(path, f"{text}{_SEAL_LINE}{sha256_bytes(text.encode())}\n" if seal else text)


def read_csv(
    path: Path,
    columns: Mapping[str, Callable[[str], Any]] | Callable[[str], Any],
    *,
    advice: str,
) -> list[dict[str, Any]]:
    """The rows of a CSV file that ``write_csv`` wrote, by column.

    Args:
        path: file to read.
        columns: function that converts the text of a cell to its value, by the names of the columns that are read; or
            one for all columns.
        advice: what the message tells the user to do if the file is not as it should be.

    Raises:
        ArtifactError: the file is missing or damaged: it has no rows, lacks a column or cells, one has no value, or its
            digest is another.
    """
    try:
        text = _unsealed(path.read_bytes().decode())
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows, header = list(reader), reader.fieldnames or []
    except FileNotFoundError:
        raise ArtifactError(f"expected a table at {path}, found nothing; {advice}") from None
    except (OSError, ValueError, csv.Error) as error:
        raise ArtifactError(f"{path} is damaged ({error}); {advice}") from error
    columns = columns if isinstance(columns, Mapping) else dict.fromkeys(header, columns)
    missing = [column for column in columns if column not in header]
    if missing:
        raise ArtifactError(f"{path} is damaged: expected a column {missing[0]!r}, got {list(header)}; {advice}")
    if not rows or any(None in row or None in row.values() for row in rows):
        raise ArtifactError(f"{path} is damaged: expected rows of {len(header)} cells, got none or others; {advice}")
    try:
        return [{column: convert(row[column]) for column, convert in columns.items()} for row in rows]
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged ({error}); {advice}") from error


def _unsealed(text: str) -> str:
    """``text`` without its last line, which says what the rest hashes to.

    Raises:
        ValueError: it says something else, or there is no such line.
    """
    content, found, digest = text.rpartition(_SEAL_LINE)
    if not found or digest != f"{sha256_bytes(content.encode())}\n":
        raise ValueError("its digest does not match")
    return content


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no white space: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as indented JSON with sorted keys, whole or not at all; raises as ``atomic_path``."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` like ``write_json``, with a digest that ``read_json`` checks: for all that is read again."""
    write_json(path, sealed(value))


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """``value`` as JSON keeps it, with a digest of it that ``check_seal`` checks."""
    plain = json.loads(json.dumps({key: entry for key, entry in value.items() if key != SEAL}))
    return {**plain, SEAL: sha256_json(plain)}


def read_json(path: Path, *, advice: str = "") -> dict[str, Any]:
    """Read a JSON object; a digest that ``write_sealed`` put into it is checked, and left out.

    Args:
        path: the file to read.
        advice: what the message tells the user to do if the file is missing or damaged.

    Raises:
        ArtifactError: the file is missing, is not a JSON object, or does not match its digest.
    """
    then = f"; {advice}" if advice else ""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactError(f"expected a JSON file at {path}, found nothing{then}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"expected JSON in {path}: {error}{then}") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"expected a JSON object in {path}, got {type(value).__name__}{then}")
    return check_seal(value, path, advice=advice)


def check_seal(value: Mapping[str, Any], place: Path, *, advice: str = "") -> dict[str, Any]:
    """``value`` without the digest that ``write_sealed`` gives it, or as it is where it has none.

    Args:
        value: a JSON object.
        place: file that it stands in, for the message.
        advice: what the message tells the user to do.

    Raises:
        ArtifactError: the digest is another.
    """
    rest = {key: entry for key, entry in value.items() if key != SEAL}
    if _misnamed_seal(value) if SEAL not in value else value[SEAL] != sha256_json(rest):
        raise ArtifactError(f"{place} is damaged: its digest does not match" + (f"; {advice}" if advice else ""))
    return rest


def _misnamed_seal(value: Mapping[str, Any]) -> bool:
    """Whether the digest is there under another key: damage to the word itself."""
    digests = [key for key, entry in value.items() if isinstance(entry, str) and len(entry) == _DIGEST_LENGTH]
    return any(value[key] == sha256_json({name: value[name] for name in value if name != key}) for key in digests)


def read_notes(path: Path) -> dict[str, Any]:
    """Read a JSON object that nothing but convenience hangs on: empty where there is none, or a damaged one."""
    try:
        return read_json(path) if path.exists() else {}
    except ArtifactError as error:
        _logger.warning("%s; going on without it", error)
        return {}


def restore(path: Path) -> str:
    """What to do about a damaged file or folder, for the end of a message."""
    return f"restore it with `dvc checkout --force {shlex.quote(str(path))}`"


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
