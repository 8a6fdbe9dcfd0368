"""The query sets of a profile over the months: which is in use, who has seen it, which are retired."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from nf.core.errors import ArtifactError, ConfigError, RetiredSetError
from nf.core.files import open_lock, read_json, restore, write_sealed
from nf.core.sections import parse_section

LEDGER_FILE = "ledger.json"

Status = Literal["fresh", "shown", "retired"]


@dataclass(frozen=True)
class IssuedSet:
    """One line of the ledger.

    Attributes:
        digest: digest of the query set (``QuerySet.digest``).
        scheme: name of the scheme that made the set.
        seed: seed that the set was made under.
        issued_at: time at which the set was issued, in ISO 8601 with offset.
        burnt_at: time at which a newer set replaced it, in ISO 8601 with offset; ``None`` while it is in use.
        seen_by: time at which each suspect was first sent the set, in ISO 8601 with offset, by the suspect's name.
    """

    digest: str
    scheme: str
    seed: int
    issued_at: str
    burnt_at: str | None = None
    seen_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """``fresh``: no suspect has seen it; ``shown``: some suspect has; ``retired``: it is not to be sent again."""
        if self.burnt_at is not None:
            return "retired"
        return "shown" if self.seen_by else "fresh"


class Ledger:
    """The folder of issued query sets: ``ledger.json``, and one folder a set, which is there before its line.

    Several processes may use it: each change reads, changes and writes the file under a lock.

    Args:
        folder: folder of the issued sets (``Layout.issued``).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, digest: str) -> Path:
        """Folder of the query set with this ``digest``."""
        return self._folder / digest[:16]

    def sets(self) -> tuple[IssuedSet, ...]:
        """All query sets that were ever issued, the oldest first.

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
        """The newest set that is not retired.

        Raises:
            ArtifactError: there is no such set, or the ledger is damaged.
        """
        usable = [issued for issued in self.sets() if issued.status != "retired"]
        if not usable:
            raise ArtifactError(
                f"{self._folder}: expected a query set that is not retired, found none; run `refingerprint`"
            )
        return usable[-1]

    def check_new(self, digest: str, seed: int) -> None:
        """Refuse a set that was issued before, whose folder is not to be touched.

        Raises:
            ArtifactError: it was, as the seed is not new; or the ledger is damaged.
        """
        for known in self.sets():
            if known.digest == digest:
                raise ArtifactError(
                    f"expected a new query set, got {digest[:16]}, which was issued at {known.issued_at}; choose "
                    f"another seed than {seed}"
                )

    def issue(self, new: IssuedSet) -> None:
        """Enter ``new``, whose folder is written already, and retire every older set at the same moment.

        Raises:
            ArtifactError: the set was issued before, as the seed is not new; or the ledger is damaged.
        """
        with self._locked() as sets:
            self.check_new(new.digest, new.seed)
            for index, known in enumerate(sets):
                sets[index] = replace(known, burnt_at=known.burnt_at or new.issued_at)
            sets.append(new)

    def show(self, digest: str, suspect: str, at: str, *, even_retired: bool = False) -> None:
        """Note that a suspect is about to see a set; an earlier note of the same suspect stays.

        Args:
            digest: digest of the query set.
            suspect: name of the suspect.
            at: present time, in ISO 8601 with offset.
            even_retired: whether to note that of a retired set, too, as the suspect sees it all the same.

        Raises:
            RetiredSetError: it has been retired since it was looked up, or there is no such set.
            ArtifactError: the ledger is damaged or cannot be written.
        """
        with self._locked() as sets:
            for index, known in enumerate(sets):
                if known.digest == digest and (even_retired or known.status != "retired"):
                    sets[index] = replace(known, seen_by={suspect: at, **known.seen_by})
                    return
            raise RetiredSetError(f"expected a query set that is not retired, got {digest[:16]}; use the newest one")

    @contextmanager
    def _locked(self) -> Iterator[list[IssuedSet]]:
        """The lines, to be changed in place; they are written if the block raises nothing."""
        # Beside the folder, which DVC keeps whole.
        with open_lock(self._folder.with_name(f".{self._folder.name}.lock")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            sets = list(self.sets())
            yield sets
            write_sealed(self._folder / LEDGER_FILE, {"sets": [_plain(issued) for issued in sets]})


def shown_to(folder: Path, digest: str) -> Mapping[str, str]:
    """When each suspect first saw the query set in ``folder``, by its name; empty if that is none of a ledger.

    Raises:
        ArtifactError: the ledger is damaged.
    """
    sets = Ledger(folder.resolve().parent).sets()
    return next((issued.seen_by for issued in sets if issued.digest == digest), {})


def note_seen(folder: Path, digest: str, suspect: str, *, even_retired: bool = False) -> str | None:
    """Note that ``suspect`` is about to see the query set in ``folder``, if that is one of a ledger.

    Args:
        folder: folder of the query set.
        digest: digest of the query set.
        suspect: file or address of the suspect; of an address, what stands behind ``?`` is left out.
        even_retired: whether a set that is retired is noted, too: it was answered before, or is asked once more so that
            a verdict can be repeated.

    Returns:
        Time at which the set was retired, in ISO 8601 with offset; ``None`` of any other.

    Raises:
        ArtifactError: the set has been retired, which is not allowed for, or the ledger is damaged or read-only.
    """
    ledger = Ledger(folder.resolve().parent)
    known = next((issued for issued in ledger.sets() if issued.digest == digest), None)
    if known is None:
        return None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    ledger.show(digest, suspect.partition("?")[0], now, even_retired=even_retired)
    return known.burnt_at


def _read_sets(path: Path) -> tuple[IssuedSet, ...]:
    lines = read_json(path).get("sets")
    if not isinstance(lines, list):
        raise ArtifactError(f"{path}: expected a list under 'sets', got {lines!r}")
    return tuple(parse_section(IssuedSet, line, f"{path}: sets[{i}]") for i, line in enumerate(lines))


def _plain(issued: IssuedSet) -> dict[str, Any]:
    return {**asdict(issued), "seen_by": dict(issued.seen_by)}
