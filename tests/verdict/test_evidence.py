"""Evidence that can be repeated, and what happens when it was tampered with."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nf.core.answers import Answers
from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import read_json, write_sealed
from nf.core.queries import QuerySet
from nf.suspects import Examined, Interface
from nf.suspects.probe import Found
from nf.verdict import (
    Verdict,
    commit,
    decide,
    decide_in_stages,
    evidence,
    load_evidence,
    no_verdict,
    replay,
    share_equal,
    write_evidence,
)
from nf.verdict.commitment import check_commitment

AT = datetime(2026, 5, 1, 8, 30, tzinfo=UTC)
Written = Callable[..., dict[str, Any]]


def answering(queries: QuerySet, matches: int) -> Answers:
    """The answers of a suspect that gives the thief's class to the first queries, the honest one to the others."""
    return Answers(np.where(np.arange(len(queries)) < matches, queries.labels, queries.negative_labels))


def examined(queries: QuerySet, answers: Answers) -> Examined:
    controls = queries.controls
    assert controls is not None
    given = controls.labels.copy()
    given[0] += 1
    found = Found(Interface(layout="nhwc", kind="probabilities"), 47, 48, 12, tuple(given.tolist()))
    return Examined(answers, found, Interface(layout="nhwc"), 0.9, controls)


@pytest.fixture
def suspect(tmp_path: Path) -> Path:
    path = tmp_path / "suspect.onnx"
    path.write_bytes(b"bytes of a suspect")
    return path


@pytest.fixture
def write(calibrated: QuerySet, suspect: Path, tmp_path: Path) -> Written:
    """Writes the evidence of a suspect with so many matches into ``tmp_path / "evidence"``."""

    def write_one(matches: int, change: Callable[[Verdict], Verdict] = lambda verdict: verdict) -> dict[str, Any]:
        answers = answering(calibrated, matches)
        verdict = change(decide(answers, calibrated))
        record = evidence(verdict, str(suspect), examined(calibrated, answers), calibrated, asked_at=AT)
        return write_evidence(tmp_path / "evidence", record, answers)

    return write_one


def test_it_holds_every_query_and_control_image(calibrated: QuerySet, write: Written, tmp_path: Path) -> None:
    record = write(18)
    assert read_json(tmp_path / "evidence" / "evidence.json") == json.loads(json.dumps(record))
    assert record["answers"][0] == {
        "index": 0,
        "sha256": sha256(calibrated.images[0].tobytes()).hexdigest(),
        "expected": 0,
        "honest": 1,
        "given": 0,
    }
    assert [each["given"] == each["honest"] for each in record["answers"]] == [False] * 18 + [True] * 2
    assert sum(each["given"] == each["expected"] for each in record["control_answers"]) == 47
    assert record["asked"]["controls"] == {"asked": 48, "right": 47, "ways_tried": 12}
    assert record["asked_at"] == "2026-05-01T08:30:00+00:00"
    assert record["query_set"]["calibration"] == calibrated.calibration.digest  # type: ignore[union-attr]
    assert record["held_out"]["independent"]["models"] == 24
    assert record["held_out"]["twin"]["lineages"] == 8
    assert record["suspect"] == {
        "file": "suspect.onnx",
        "sha256": sha256(b"bytes of a suspect").hexdigest(),
        "bytes": 18,
    }
    assert set(record["versions"]) >= {"nf", "numpy", "onnx", "onnxruntime", "python"}
    assert record["outcome"] == "stolen"


def test_it_says_what_was_promised(calibrated: QuerySet, suspect: Path, tmp_path: Path) -> None:
    calibrated.save(tmp_path / "set")
    commit(QuerySet.load(tmp_path / "set"), at=AT).save(tmp_path / "set.commitment")
    day = date(2026, 6, 1)
    promised = check_commitment(tmp_path / "set", QuerySet.load(tmp_path / "set"), day)
    answers = answering(calibrated, 20)
    record = evidence(
        decide(answers, calibrated),
        str(suspect),
        examined(calibrated, answers),
        calibrated,
        released=day,
        committed=promised,
    )
    assert (record["released"], record["commitment"]["before"]) == ("2026-06-01", True)


def test_a_missing_file_is_refused(calibrated: QuerySet, tmp_path: Path) -> None:
    answers = answering(calibrated, 20)
    with pytest.raises(SuspectError, match=r"nothing.onnx: expected the suspect's file, cannot read it: No such file"):
        evidence(
            decide(answers, calibrated),
            str(tmp_path / "nothing.onnx"),
            examined(calibrated, answers),
            calibrated,
        )


def test_no_verdict_has_a_reason_and_no_score(calibrated: QuerySet) -> None:
    record = no_verdict("it is constant", calibrated, "https://host/v2/models/m", Interface(size=(8, 8)))
    assert (record["stolen"], record["reason"]) == (None, "it is constant")
    assert record["stated"] == {"size": [8, 8]}
    assert record["suspect"] == {"address": "https://host/v2/models/m"}
    json.dumps(record)


@pytest.mark.parametrize("matches", [0, 8, 20])
def test_a_replay_gives_the_same(calibrated: QuerySet, write: Written, tmp_path: Path, matches: int) -> None:
    record = write(matches)
    again = replay(load_evidence(tmp_path / "evidence"), calibrated)
    assert again.same
    assert again.verdict.outcome == record["outcome"]


def test_a_replay_in_stages_gives_the_same(calibrated: QuerySet, suspect: Path, tmp_path: Path) -> None:
    labels = answering(calibrated, 20).labels
    staged = decide_in_stages(lambda part: labels[part], calibrated)
    given = Answers(labels[: staged.asked])
    record = evidence(
        staged.verdict, str(suspect), examined(calibrated, given), calibrated, asked_at=AT, looks=staged.looks
    )
    write_evidence(tmp_path, record, given)
    again = replay(load_evidence(tmp_path), calibrated)
    assert again.differences == ()
    assert again.verdict == staged.verdict


def test_corrections_for_other_suspects_are_let_through_and_no_more(
    calibrated: QuerySet, write: Written, tmp_path: Path
) -> None:
    def times(factor: float) -> Callable[[Verdict], Verdict]:
        def change(verdict: Verdict) -> Verdict:
            assert verdict.independent is not None
            return replace(
                verdict, suspects=4, independent=verdict.independent.corrected(verdict.independent.value * factor)
            )

        return change

    write(8, times(3))
    assert replay(load_evidence(tmp_path / "evidence"), calibrated).same
    write(8, times(40))
    (line,) = replay(load_evidence(tmp_path / "evidence"), calibrated).differences
    assert line.startswith("p-value, independent: ")


@pytest.mark.parametrize("suspects", [1e-9, 0, -1, True, 0.5, 1.0, "4", None])
def test_a_number_of_suspects_that_is_none_is_refused(
    calibrated: QuerySet, write: Written, tmp_path: Path, suspects: object
) -> None:
    """By one below 1, a correction would make p-values smaller: a forged accusation would be confirmed."""
    record = write(0)
    smaller = {name: {**record[name], "value": record[name]["value"] * 1e-9} for name in ("independent", "trained")}
    forged = {**record, **smaller, "suspects": suspects, "outcome": "stolen", "stolen": True}
    write_sealed(tmp_path / "evidence" / "evidence.json", forged)
    with pytest.raises(ArtifactError, match="damaged: expected a number of suspects from 1 on, got"):
        replay(load_evidence(tmp_path / "evidence"), calibrated)


@pytest.mark.parametrize("value", [1e-9, 0, -1, math.nan])
def test_a_correction_makes_no_p_value_smaller(
    calibrated: QuerySet, write: Written, tmp_path: Path, value: float
) -> None:
    record = write(0)
    smaller = {name: {**record[name], "value": value} for name in ("independent", "trained")}
    write_sealed(tmp_path / "evidence" / "evidence.json", {**record, **smaller, "suspects": 4, "outcome": "stolen"})
    again = replay(load_evidence(tmp_path / "evidence"), calibrated)
    assert again.verdict.outcome == "not shown"
    assert again.differences[0] == "outcome: stolen, now not shown"


def test_a_verdict_that_was_touched_up_is_noticed(calibrated: QuerySet, write: Written, tmp_path: Path) -> None:
    write(8, lambda verdict: replace(verdict, outcome="stolen"))
    again = replay(load_evidence(tmp_path / "evidence"), calibrated)
    assert again.differences == ("outcome: stolen, now stolen or trained on your data",)


def test_another_calibration_is_noticed(calibrated: QuerySet, write: Written, tmp_path: Path) -> None:
    write(20)
    assert calibrated.calibration is not None
    other = replace(calibrated, calibration=replace(calibrated.calibration, candidates=7))
    (line,) = replay(load_evidence(tmp_path / "evidence"), other).differences
    assert line.startswith("calibration: ")


def test_answers_of_today_are_compared(calibrated: QuerySet, write: Written, tmp_path: Path) -> None:
    write(20)
    recorded = load_evidence(tmp_path / "evidence")
    now = answering(calibrated, 5)
    assert share_equal(recorded, now) == 0.25
    assert replay(recorded, calibrated, now).differences == ("outcome: stolen, now not shown",)
    with pytest.raises(SuspectError, match="expected answers to 20 queries, got 3"):
        share_equal(recorded, Answers(now.labels[:3]))


def test_another_query_set_is_refused(calibrated: QuerySet, write: Written, tmp_path: Path) -> None:
    write(20)
    other = replace(calibrated, labels=calibrated.negative_labels)
    with pytest.raises(ArtifactError, match=r"expected the query set \w{16}, with which the suspect was judged, got"):
        replay(load_evidence(tmp_path / "evidence"), other)


def test_changed_answers_are_refused(write: Written, tmp_path: Path) -> None:
    record = write(20)
    record["answers"][3]["given"] = 1 - record["answers"][3]["given"]
    (tmp_path / "evidence" / "evidence.json").write_text(json.dumps(record))
    with pytest.raises(ArtifactError, match=r"answers.safetensors holds other answers than evidence.json"):
        load_evidence(tmp_path / "evidence")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a JSON file at .*evidence.json, found nothing; write it with `nf verify"),
        ("[", "expected JSON in"),
        ('{"outcome": "no verdict"}', "expected evidence of a verdict, got the outcome 'no verdict'"),
        ('{"outcome": ["stolen"]}', "expected evidence of a verdict"),
        ('{"outcome": "stolen"}', "is damaged: expected the answers to each query, got KeyError"),
        ('{"outcome": "stolen", "answers": 3}', "is damaged: expected the answers to each query"),
    ],
)
def test_damaged_evidence_is_refused(write: Written, tmp_path: Path, content: str | None, message: str) -> None:
    write(20)
    path = tmp_path / "evidence" / "evidence.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(ArtifactError, match=message):
        load_evidence(tmp_path / "evidence")


@pytest.mark.parametrize("key", ["looks", "suspects", "score", "independent", "query_set"])
def test_evidence_without_a_part_is_refused(calibrated: QuerySet, write: Written, tmp_path: Path, key: str) -> None:
    record = write(20)
    path = tmp_path / "evidence" / "evidence.json"
    path.write_text(json.dumps({name: value for name, value in record.items() if name != key}))
    with pytest.raises(ArtifactError, match=f"evidence.json is damaged: KeyError.'{key}'"):
        replay(load_evidence(tmp_path / "evidence"), calibrated)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("calibrated", 10**400, "is damaged: OverflowError"),
        ("suspects", 10**400, "is damaged: OverflowError"),
        ("independent", {"value": "small"}, "is damaged: TypeError"),
        ("query_set", "set", "is damaged: expected the folder of the query set, got 'set'$"),
        ("query_set", {"folder": ["set"]}, r"is damaged: expected the folder of the query set, got .*'set'"),
        ("asked", "so", "is damaged: expected how it was asked, got TypeError"),
        ("asked", {}, "is damaged: expected how it was asked, got KeyError"),
        ("asked", {"interface": {"kind": "poems"}}, "is damaged: expected how it was asked, got ConfigError"),
    ],
)
def test_evidence_that_holds_something_else_is_refused(
    calibrated: QuerySet, write: Written, tmp_path: Path, key: str, value: Any, message: str
) -> None:
    record = write(20, lambda verdict: replace(verdict, suspects=2))
    write_sealed(tmp_path / "evidence" / "evidence.json", {**record, key: value})
    recorded = load_evidence(tmp_path / "evidence")
    with pytest.raises(ArtifactError, match=message):
        (recorded.folder, recorded.interface, replay(recorded, calibrated))
