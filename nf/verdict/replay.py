"""Judging once more by recorded answers, and saying whether the verdict is the same."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nf.core.answers import Answers, AnswerTable
from nf.core.errors import ArtifactError, ConfigError, SuspectError
from nf.core.files import read_json, sha256_file
from nf.core.interface import Interface
from nf.core.paths import ANSWERS_FILE, EVIDENCE_FILE
from nf.core.queries import QuerySet
from nf.core.sections import parse_section
from nf.verdict.decision import OUTCOMES, Verdict, decide, outcome
from nf.verdict.evidence import SUSPECT
from nf.verdict.levels import PValue
from nf.verdict.sequential import decide_at_look

_TOLERANCE = 1e-6  # of scores and p-values that another processor computes


@dataclass(frozen=True)
class Recorded:
    """Evidence as it was written down.

    Attributes:
        record: content of ``evidence.json``.
        answers: the suspect's answers to the queries that it was asked.
    """

    record: dict[str, Any]
    answers: Answers

    @property
    def folder(self) -> Path | None:
        """Where the query set was, if that is recorded.

        Raises:
            ArtifactError: something else is recorded.
        """
        query_set = self.record.get("query_set", {})
        try:
            folder = query_set.get("folder")
            return None if folder is None else Path(folder)
        except (AttributeError, TypeError):
            raise ArtifactError(
                f"{EVIDENCE_FILE} is damaged: expected the folder of the query set, got {query_set!r}"
            ) from None

    @property
    def interface(self) -> Interface:
        """How the suspect was asked.

        Raises:
            ArtifactError: nothing about it is recorded, or something else is.
        """
        try:
            return parse_section(Interface, self.record["asked"]["interface"], "asked.interface")
        except (KeyError, TypeError, ConfigError) as error:
            raise ArtifactError(f"{EVIDENCE_FILE} is damaged: expected how it was asked, got {error!r}") from error


@dataclass(frozen=True)
class Replayed:
    """A judgement that was repeated.

    Attributes:
        verdict: the verdict now.
        differences: a line for each part that is not as recorded; none if all is.
    """

    verdict: Verdict
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all is as recorded."""
        return not self.differences


def load_evidence(folder: Path) -> Recorded:
    """Read what ``nf verify --report`` wrote.

    Raises:
        ArtifactError: a file is missing or damaged, the answers are not those of the evidence, there was no verdict, or
            the folder holds those of several suspects.
    """
    path = folder / EVIDENCE_FILE
    if not path.exists() and (several := sorted(folder.glob(f"*/{EVIDENCE_FILE}"))):
        raise ArtifactError(
            f"{folder}: expected evidence of one suspect, got that of {len(several)}; name the folder of one, as in "
            f"{several[0].parent}"
        )
    record = read_json(path, advice="write it with `nf verify SUSPECT --queries FOLDER --report DIR`")
    if record.get("outcome") not in OUTCOMES:
        raise ArtifactError(f"{path}: expected evidence of a verdict, got the outcome {record.get('outcome')!r}")
    try:
        answers = AnswerTable.load(folder / ANSWERS_FILE)[SUSPECT]
    except (ArtifactError, KeyError) as error:
        raise ArtifactError(
            f"{folder / ANSWERS_FILE}: expected the answers that {EVIDENCE_FILE} is about; restore them from a copy"
        ) from error
    try:
        written = [int(each["given"]) for each in record["answers"]]
        digest = record["answers_file"]["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is damaged: expected the answers to each query, got {error!r}") from error
    if digest != sha256_file(folder / ANSWERS_FILE) or answers.labels.tolist() != written:
        raise ArtifactError(f"{folder / ANSWERS_FILE} holds other answers than {EVIDENCE_FILE}; restore both")
    return Recorded(record, answers)


def replay(recorded: Recorded, queries: QuerySet, answers: Answers | None = None) -> Replayed:
    """Judge again, by the rule that the evidence names.

    Args:
        recorded: evidence.
        queries: query set that the suspect was asked.
        answers: answers that the suspect gives now; the recorded ones if ``None``.

    Raises:
        ArtifactError: the evidence is damaged, or was taken with other queries.
        SuspectError: the answers give no score.
    """
    record = recorded.record
    if record.get("query_set_digest") != queries.digest:
        raise ArtifactError(
            f"expected the query set {str(record.get('query_set_digest'))[:16]}, with which the suspect was judged, "
            f"got {queries.digest[:16]}"
        )
    given = recorded.answers if answers is None else answers
    try:
        verdict = _judge(record, given, queries)
        if answers is None:
            return Replayed(verdict, tuple(_differences(record, verdict, queries)))
        was = record["outcome"]
        return Replayed(verdict, () if verdict.outcome == was else (f"outcome: {was}, now {verdict.outcome}",))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArtifactError(f"{EVIDENCE_FILE} is damaged: {error!r}") from error


def share_equal(recorded: Recorded, answers: Answers) -> float:
    """The share of queries, in [0, 1], to which a suspect gives the class that was recorded.

    Raises:
        SuspectError: there are fewer or more answers than recorded.
    """
    if len(answers) != len(recorded.answers):
        raise SuspectError(f"expected answers to {len(recorded.answers)} queries, got {len(answers)}")
    return float(np.mean(answers.labels == recorded.answers.labels))


def changed_files(recorded: Recorded, now: Mapping[str, Any]) -> list[str]:
    """Names of the suspect's files that are not as recorded: its own, and those that its weights lie in.

    Evidence of older versions does not list the latter.

    Args:
        recorded: evidence about a suspect in a file.
        now: what ``nf.verdict.identify`` says of the suspect.

    Raises:
        ArtifactError: the evidence is damaged.
    """
    try:
        was = recorded.record["suspect"]
        changed = [] if was.get("sha256") == now["sha256"] else [str(now["file"])]
        if "beside" not in was:
            return changed
        before, after = ({(each["file"], each["sha256"]) for each in known["beside"]} for known in (was, now))
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{EVIDENCE_FILE} is damaged: expected the suspect's files, got {error!r}") from error
    return changed + sorted({str(name) for name, _ in before ^ after})


def _judge(record: dict[str, Any], answers: Answers, queries: QuerySet) -> Verdict:
    verdict = decide(answers, queries) if record["looks"] is None else decide_at_look(answers.labels, queries)
    suspects = record["suspects"]
    if not isinstance(suspects, int) or isinstance(suspects, bool) or suspects < 1:
        raise ArtifactError(f"{EVIDENCE_FILE} is damaged: expected a number of suspects from 1 on, got {suspects!r}")
    if suspects == 1 or verdict.levels is None:
        return verdict
    # Judged beside other suspects, on whose answers the correction hangs. The recorded one is taken where it is one.
    independent, trained = (
        _as_corrected(found, record[name], suspects)
        for name, found in (("independent", verdict.independent), ("trained", verdict.trained))
    )
    found = outcome(independent, trained, verdict.levels)
    return replace(verdict, outcome=found, independent=independent, trained=trained, suspects=suspects)


def _as_corrected(found: PValue | None, recorded: dict[str, Any] | None, suspects: int) -> PValue | None:
    """``found`` with the recorded value, where that is ``found`` corrected for up to so many ``suspects``.

    Whatever is recorded, a correction never makes a p-value smaller.
    """
    if found is None or recorded is None:
        return found
    highest = min(1.0, found.value * suspects)
    return found.corrected(max(found.value, min(recorded["value"], highest)))


def _differences(record: dict[str, Any], verdict: Verdict, queries: QuerySet) -> list[str]:
    known = queries.calibration.digest if queries.calibration else None
    now: dict[str, Any] = {
        "outcome": verdict.outcome,
        "scheme": verdict.scheme,
        "queries": verdict.queries,
        "calibration": known,
        "control images": queries.controls.digest if queries.controls else None,
        "floor": queries.card.get("floor"),
        "threshold": verdict.threshold,
        "score": verdict.score,
        "calibrated score": verdict.calibrated,
        "p-value, independent": _value(verdict.independent),
        "p-value, trained on your data": _value(verdict.trained),
    }
    was: dict[str, Any] = {
        "outcome": record["outcome"],
        "scheme": record["scheme"],
        "queries": record["queries"],
        "calibration": record["query_set"]["calibration"],
        "control images": record["query_set"]["controls"],
        "floor": record["query_set"]["floor"],
        "threshold": record["threshold"],
        "score": record["score"],
        "calibrated score": record["calibrated"],
        "p-value, independent": _recorded_value(record["independent"]),
        "p-value, trained on your data": _recorded_value(record["trained"]),
    }
    return [f"{name}: {was[name]}, now {now[name]}" for name in now if not _equal(was[name], now[name])]


def _value(found: PValue | None) -> float | None:
    return None if found is None else found.value


def _recorded_value(found: dict[str, Any] | None) -> float | None:
    return None if found is None else found["value"]


def _equal(was: object, now: object) -> bool:
    if isinstance(was, float | int) and isinstance(now, float | int):
        return math.isclose(was, now, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return was == now
