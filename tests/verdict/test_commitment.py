"""What was promised beforehand, and whether a query set is still that."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from nf.core.errors import ArtifactError
from nf.core.queries import QuerySet
from nf.verdict import Commitment, check_commitment, commit, commitment_folder

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, calibrated: QuerySet) -> Path:
    """A query set with its commitment beside it."""
    calibrated.save(tmp_path / "set")
    commit(QuerySet.load(tmp_path / "set"), note="ours", at=AT).save(tmp_path / "set.commitment")
    return tmp_path / "set"


def test_the_hash_is_what_anybody_can_compute_from_the_opening(folder: Path) -> None:
    place = commitment_folder(folder)
    opening = json.loads((place / "opening.json").read_text())
    plain = json.dumps(opening, sort_keys=True, separators=(",", ":")).encode()
    public = json.loads((place / "commitment.json").read_text())
    assert public["hash"] == hashlib.sha256(plain).hexdigest()
    assert public["created_at"] == "2026-03-01T12:00:00+00:00"
    assert set(public) == {"hash", "algorithm", "created_at", "note"}  # nothing of the queries
    assert opening["levels"] == {"independent": 0.01, "trained": 0.05}


def test_the_same_set_gives_another_hash_each_time(calibrated: QuerySet) -> None:
    first, second = commit(calibrated, at=AT), commit(calibrated, at=AT)
    assert first.hash != second.hash
    assert len(bytes.fromhex(first.opening.salt)) == 32


@pytest.mark.parametrize(
    ("released", "before"),
    [(None, None), (date(2026, 3, 2), True), (date(2026, 3, 1), False), (date(2026, 1, 1), False)],
)
def test_it_says_when_it_was_made(folder: Path, released: date | None, before: bool | None) -> None:
    (commitment_folder(folder) / "commitment.json.asc").write_bytes(b"signature")
    (commitment_folder(folder) / "commitment.json.tsq").write_bytes(b"a request for a stamp, which is none")
    found = check_commitment(folder, QuerySet.load(folder), released)
    assert found is not None
    assert (found.changed, found.before, found.note) == ((), before, "ours")
    assert found.stamps == {"commitment.json.asc": hashlib.sha256(b"signature").hexdigest()}
    json.dumps(found.to_json())


def test_one_that_travelled_within_the_folder_is_found(folder: Path) -> None:
    for name in ("commitment.json", "opening.json"):
        (commitment_folder(folder) / name).rename(folder / name)
    assert check_commitment(folder, QuerySet.load(folder)) is not None


def test_a_set_without_one_has_none(tmp_path: Path, calibrated: QuerySet) -> None:
    calibrated.save(tmp_path / "set")
    assert check_commitment(tmp_path / "set", calibrated) is None


def test_what_changed_afterwards_is_named(calibrated: QuerySet) -> None:
    promised = commit(calibrated, at=AT)
    controls, known = calibrated.controls, calibrated.calibration
    assert controls is not None
    assert known is not None
    assert promised.changed(calibrated) == ()
    for other, names in (
        (replace(calibrated, labels=calibrated.negative_labels), ("query_set",)),
        (replace(calibrated, card={**calibrated.card, "threshold": 0.3}), ("threshold",)),
        (replace(calibrated, card={**calibrated.card, "floor": 0.0}), ("floor",)),
        (replace(calibrated, controls=replace(controls, labels=controls.labels[::-1].copy())), ("controls",)),
        (replace(calibrated, calibration=replace(known, candidates=99)), ("calibration",)),
        (replace(calibrated, calibration=None), ("calibration", "levels")),
    ):
        assert promised.changed(other) == names


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("opening.json", None, "expected a JSON file at .*opening.json, found nothing"),
        ("opening.json", "{}", "holds a damaged commitment .*missing key 'scheme'.*; restore both files from a copy"),
        ("opening.json", "[", "expected JSON in .*opening.json"),
        ("commitment.json", "{}", "holds a damaged commitment .*created_at"),
        ("commitment.json", '{"created_at": "yesterday"}', "holds a damaged commitment .*yesterday"),
        ("commitment.json", '{"created_at": "2026-01-01T00:00:00"}', "expected a time with offset"),
        ("commitment.json", '{"created_at": "2026-03-01T12:00:00+00:00", "hash": "0"}', "does not give the hash in"),
    ],
)
def test_a_damaged_one_is_refused(folder: Path, file: str, content: str | None, message: str) -> None:
    path = commitment_folder(folder) / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(ArtifactError, match=message):
        check_commitment(folder, QuerySet.load(folder))


def test_it_comes_back_from_the_disk(tmp_path: Path, calibrated: QuerySet) -> None:
    made = commit(calibrated, note="n", at=AT)
    made.save(tmp_path)
    assert Commitment.load(tmp_path) == made
