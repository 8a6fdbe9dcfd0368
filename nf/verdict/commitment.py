"""A promise made before a suspect is looked at: a hash of all that a verdict hangs on, to be published beforehand.

The hash alone tells nothing of the queries, as a random salt goes into it. Who keeps the opening can show later that
the set was not made, or chosen among many, after a look at the suspect.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import read_json, sha256_file, sha256_json, write_json
from nf.core.paths import COMMITMENT_FILE, OPENING_FILE
from nf.core.queries import QuerySet
from nf.core.sections import parse_section
from nf.verdict.card import scheme_of, threshold_of

ALGORITHM = "SHA-256 of the opening as JSON with sorted keys and no white space"

_SALT_BYTES = 32
_REQUEST = ".tsq"  # of a file that asks for a time stamp, and is none
_RESTORE = "restore both files from a copy"


@dataclass(frozen=True)
class Opening:
    """What was committed to; private until a verdict is published.

    Attributes:
        scheme: name of the scheme that made the query set.
        queries: number of queries.
        query_set: digest of the query set.
        controls: SHA-256 of the card of the control images, or ``None`` without any.
        calibration: digest of the calibration, or ``None`` without one.
        levels: levels that p-values are held against, or ``None`` without a calibration.
        threshold: threshold in [0, 1] of the plain score.
        floor: least share in [0, 1] of queries that have to be answered with sense, or ``None`` where none is known.
        salt: random hexadecimal digits, without which the rest could be guessed from the hash.
    """

    scheme: str
    queries: int
    query_set: str
    controls: str | None
    calibration: str | None
    levels: Mapping[str, float] | None
    threshold: float
    floor: float | None
    salt: str

    @classmethod
    def of(cls, queries: QuerySet, salt: str) -> "Opening":
        """All that a verdict with ``queries`` hangs on.

        Raises:
            ArtifactError: the card has no scheme or usable threshold.
        """
        known, floor = queries.calibration, queries.card.get("floor")
        return cls(
            scheme=scheme_of(queries),
            queries=len(queries),
            query_set=queries.digest,
            controls=sha256_json(queries.controls.card) if queries.controls else None,
            calibration=known.digest if known else None,
            levels=asdict(known.levels) if known else None,
            threshold=threshold_of(queries),
            floor=None if floor is None else float(floor),
            salt=salt,
        )

    @property
    def hash(self) -> str:
        """Hexadecimal SHA-256 of everything in it."""
        return sha256_json(asdict(self))


@dataclass(frozen=True)
class Commitment:
    """A query set that was promised.

    Attributes:
        opening: what was promised.
        created_at: time of the promise by the owner's own clock, in ISO 8601 with offset.
        note: words of the owner that are published with the hash.
    """

    opening: Opening
    created_at: str
    note: str = ""

    @property
    def hash(self) -> str:
        """What is published, as 64 hexadecimal digits."""
        return self.opening.hash

    @property
    def public(self) -> dict[str, str]:
        """What may be shown to anybody: hash, algorithm, time and note."""
        return {"hash": self.hash, "algorithm": ALGORITHM, "created_at": self.created_at, "note": self.note}

    def changed(self, queries: QuerySet) -> tuple[str, ...]:
        """Names of the parts in which ``queries`` are not what was promised; none if all is as it was."""
        promised, found = asdict(self.opening), asdict(Opening.of(queries, self.opening.salt))
        return tuple(name for name in promised if promised[name] != found[name])

    def save(self, folder: Path) -> None:
        """Write ``opening.json``, which is private, and ``commitment.json``, which is to be published.

        Raises:
            ArtifactError: the files cannot be written.
        """
        write_json(folder / OPENING_FILE, asdict(self.opening))
        write_json(folder / COMMITMENT_FILE, self.public)

    @classmethod
    def load(cls, folder: Path) -> "Commitment":
        """Read what ``save`` wrote.

        Raises:
            ArtifactError: a file is missing or damaged, or the opening does not give the hash.
        """
        path = folder / OPENING_FILE
        public = read_json(folder / COMMITMENT_FILE, advice=_RESTORE)
        try:
            opening = parse_section(Opening, read_json(path, advice=_RESTORE), str(path))
            found = cls(opening, str(public["created_at"]), str(public.get("note", "")))
            _moment(found.created_at)
        except (ConfigError, KeyError, ValueError) as error:
            raise ArtifactError(f"{folder} holds a damaged commitment ({error}); {_RESTORE}") from error
        if found.hash != public.get("hash"):
            raise ArtifactError(f"{path} does not give the hash in {COMMITMENT_FILE}; {_RESTORE}")
        return found


def commit(queries: QuerySet, *, note: str = "", at: datetime | None = None) -> Commitment:
    """Promise to judge with ``queries``, their controls, threshold, floor, levels and calibration as they are.

    Args:
        queries: query set that no suspect has been asked yet.
        note: words that are published with the hash.
        at: present time with offset; read from the clock if ``None``.

    Raises:
        ArtifactError: the card of ``queries`` has no scheme or usable threshold.
    """
    opening = Opening.of(queries, secrets.token_hex(_SALT_BYTES))
    return Commitment(opening, (at or datetime.now(UTC)).isoformat(timespec="seconds"), note)


def commitment_folder(folder: Path) -> Path:
    """Where the commitment of the query set in ``folder`` lies: beside it, as DVC keeps the inside as it was made."""
    whole = folder.resolve()
    return whole.with_name(f"{whole.name}.commitment")


@dataclass(frozen=True)
class Committed:
    """What a commitment says of a verdict, for the evidence.

    Attributes:
        hash: what was published.
        created_at: time of the promise by the owner's own clock, in ISO 8601 with offset.
        note: words of the owner.
        changed: names of the parts in which the query set is no longer what was promised.
        released: stated day on which the suspect was released, as in ``2026-05-31``, or ``None``.
        before: whether the promise was made before that day, or ``None`` where no day is stated.
        stamps: SHA-256 of each time stamp or signature that lies beside the commitment, by its file's name.
    """

    hash: str
    created_at: str
    note: str
    changed: tuple[str, ...]
    released: str | None
    before: bool | None
    stamps: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "changed": list(self.changed), "algorithm": ALGORITHM}


def check_commitment(folder: Path, queries: QuerySet, released: date | None = None) -> Committed | None:
    """What was promised of ``queries``, or ``None`` where nothing was.

    Time stamps and signatures are listed with their hashes; it is for the tools that made them to check them. A file
    that asks for a time stamp is none.

    Args:
        folder: folder of the query set; its commitment lies in it or beside it.
        queries: the query set.
        released: stated day on which the suspect was released.

    Raises:
        ArtifactError: the commitment is damaged.
    """
    places = (folder, commitment_folder(folder))
    place = next((place for place in places if (place / COMMITMENT_FILE).exists()), None)
    if place is None:
        return None
    found = Commitment.load(place)
    beside = sorted(place.glob(f"{COMMITMENT_FILE}.*"))
    stamps = [path for path in beside if path.is_file() and path.suffix != _REQUEST]
    return Committed(
        hash=found.hash,
        created_at=found.created_at,
        note=found.note,
        changed=found.changed(queries),
        released=released.isoformat() if released else None,
        before=_moment(found.created_at).date() < released if released else None,
        stamps={path.name: _hash(path) for path in stamps},
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"created_at: expected a time with offset, got {text}")
    return moment.astimezone(UTC)


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise ArtifactError(f"{path}: expected a time stamp or signature, cannot read it: {error.strerror}") from error
