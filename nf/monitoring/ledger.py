"""The query sets of a profile over the months: which is in use, who has seen it, which are burnt."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import open_lock, read_json, restore, write_json
from nf.core.sections import parse_section

LEDGER_FILE = "ledger.json"

Status = Literal["fresh", "shown", "burnt"]


@dataclass(frozen=True)
class IssuedSet:
    """One line of the ledger.

    Attributes:
        digest: of the query set (``QuerySet.digest``).
        scheme: that made it.
        seed: that it was made under.
        issued_at: ISO 8601 with offset, as all times here.
        burnt_at: when a newer set took its place.
        seen_by: when each suspect was first asked, by its name.
    """

    digest: str
    scheme: str
    seed: int
    issued_at: str
    burnt_at: str | None = None
    seen_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """``fresh``: nobody has seen it; ``shown``: somebody has; ``burnt``: nobody is to be asked with it again."""
        if self.burnt_at is not None:
            return "burnt"
        return "shown" if self.seen_by else "fresh"


class Ledger:
    """The folder of issued query sets: ``ledger.json``, and one folder a set, which is there before its line.

    Several processes may use it: each change reads, changes and writes the file under a lock.

    Args:
        folder: ``Layout.issued``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, digest: str) -> Path:
        """Where the set of that digest lies."""
        return self._folder / digest[:16]

    def sets(self) -> tuple[IssuedSet, ...]:
        """All that were ever issued, the oldest first.

        Raises:
            ArtifactError: the ledger is damaged.
        """
        path = self._folder / LEDGER_FILE
        if not path.exists():
            return ()
        try:
            return _read_sets(path)
        except (ArtifactError, ConfigError) as error:
            raise ArtifactError(f"{error}; {restore(path)}") from error

    def current(self) -> IssuedSet:
        """The newest set that is not burnt.

        Raises:
            ArtifactError: there is none.
        """
        usable = [issued for issued in self.sets() if issued.status != "burnt"]
        if not usable:
            raise ArtifactError(
                f"{self._folder}: expected a query set that is not burnt, found none; run `refingerprint`"
            )
        return usable[-1]

    def issue(self, new: IssuedSet) -> None:
        """Enter ``new``, whose folder is written, and burn every older set at the same moment.

        Raises:
            ArtifactError: the set was issued before: a query set is new only under a new seed.
        """
        with self._locked() as sets:
            for index, known in enumerate(sets):
                if known.digest == new.digest:
                    raise ArtifactError(
                        f"expected a new query set, got {new.digest[:16]}, which was issued at {known.issued_at}; "
                        f"choose another seed than {new.seed}"
                    )
                sets[index] = replace(known, burnt_at=known.burnt_at or new.issued_at)
            sets.append(new)

    def show(self, digest: str, suspect: str, at: str) -> None:
        """Note that ``suspect`` is about to see a set; who saw it before stays as noted.

        Raises:
            ArtifactError: there is no such set, or it has been burnt since it was looked up.
        """
        with self._locked() as sets:
            for index, known in enumerate(sets):
                if known.digest == digest and known.status != "burnt":
                    sets[index] = replace(known, seen_by={suspect: at, **known.seen_by})
                    return
            raise ArtifactError(f"expected a query set that is not burnt, got {digest[:16]}; ask with the newest one")

    @contextmanager
    def _locked(self) -> Iterator[list[IssuedSet]]:
        """The lines, to be changed in place; written when the block ends well."""
        # Beside the folder, which DVC keeps whole.
        with open_lock(self._folder.with_name(f".{self._folder.name}.lock")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            sets = list(self.sets())
            yield sets
            write_json(self._folder / LEDGER_FILE, {"sets": [_plain(issued) for issued in sets]})


def note_seen(folder: Path, digest: str, suspect: str, *, long_ago: bool = False) -> None:
    """Note that ``suspect`` is about to see the query set in ``folder``, if that is one of a ledger.

    Args:
        folder: of the query set.
        digest: of the query set.
        suspect: its file or address; of an address, what stands behind ``?`` is left out.
        long_ago: whether its answers are there already, so that a set that was burnt since may be read by them.

    Raises:
        ArtifactError: the set has been burnt and the suspect is yet to be asked, or the ledger is damaged or read-only.
    """
    ledger = Ledger(folder.resolve().parent)
    known = next((issued for issued in ledger.sets() if issued.digest == digest), None)
    if known is not None and not (long_ago and known.status == "burnt"):
        ledger.show(digest, suspect.partition("?")[0], datetime.now(UTC).isoformat(timespec="seconds"))


def _read_sets(path: Path) -> tuple[IssuedSet, ...]:
    lines = read_json(path).get("sets")
    if not isinstance(lines, list):
        raise ArtifactError(f"{path}: expected a list under 'sets', got {lines!r}")
    return tuple(parse_section(IssuedSet, line, f"{path}: sets[{i}]") for i, line in enumerate(lines))


def _plain(issued: IssuedSet) -> dict[str, Any]:
    return {**asdict(issued), "seen_by": dict(issued.seen_by)}
