"""Files from somebody who may not want them to be read: plain ones of a bounded size, and nothing else."""

import stat
from pathlib import Path

from nf.core.errors import SuspectError
from nf.core.printing import printable
from nf.suspects.formats import advice

MAX_BYTES = 1 << 30
"""The size of a suspect, all its files together, above which it is not read."""

_SHOWN = 80  # characters of a name from the file


def read_file(path: Path, max_bytes: int = MAX_BYTES, *, kind: str = "an ONNX file") -> bytes:
    """The bytes of the suspect's file at ``path``.

    Args:
        path: a file, or a link to one.
        max_bytes: more are not read.
        kind: what is expected there, for messages.

    Raises:
        SuspectError: it is missing, empty, too large, no regular file or not readable.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            hint = advice(path, b"") if path.is_dir() else None
            raise SuspectError(f"{path}: expected {kind}, got {hint or 'a folder or device'}")
        if status.st_size == 0:
            raise SuspectError(f"{path}: expected {kind}, got an empty one")
        if status.st_size > max_bytes:
            raise SuspectError(f"{path}: expected at most {max_bytes:,} bytes, got {status.st_size:,}")
        return path.read_bytes()
    except FileNotFoundError:
        raise SuspectError(f"{path}: expected {kind}, found nothing") from None
    except OSError as error:
        raise SuspectError(f"{path}: expected {kind}, cannot read it: {error.strerror}") from error


def read_beside(folder: Path, name: str, max_bytes: int) -> bytes:
    """The file ``name`` of weights in ``folder``, of at most ``max_bytes``; errors as of ``find_beside``."""
    path = find_beside(folder, name, max_bytes)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(name, error) from None


def find_beside(folder: Path, name: str, max_bytes: int) -> Path:
    """Path of the file ``name`` of weights in ``folder``, of at most ``max_bytes``.

    Raises:
        SuspectError: it is elsewhere, missing, too large, a link or no regular file.
    """
    # A plain name: no folder, no link, nothing above.
    if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise SuspectError(f"expected weights inside the file or in one beside it, got them in {named(name)}")
    path = folder / name
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise SuspectError(f"expected weights in a plain file, got a link, folder or device for {named(name)}")
        if status.st_size > max_bytes:
            raise SuspectError(f"expected at most {max_bytes:,} bytes of weights, got {status.st_size:,}")
    except OSError as error:
        raise _unreadable(name, error) from None
    return path


def _unreadable(name: str, error: OSError) -> SuspectError:
    return SuspectError(
        f"expected weights in {named(name)} beside the file, cannot read them ({error.strerror}); put the file there "
        "that was exported together with this one"
    )


def named(name: str) -> str:
    """A name from the file, for messages."""
    return repr(printable(name)[:_SHOWN])
