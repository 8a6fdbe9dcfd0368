"""A verdict with all that a third party needs to repeat it."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from nf.core.answers import Answers, AnswerTable
from nf.core.calibration import Calibration, Group, Look
from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import make_folder, sha256_bytes, sha256_file, write_sealed
from nf.core.paths import ANSWERS_FILE, EVIDENCE_FILE
from nf.core.predictor import Predictor
from nf.core.printing import printable
from nf.core.queries import QuerySet
from nf.core.version import VERSION
from nf.suspects import Examined, Interface, IsolatedSuspect, ServedSuspect, is_address
from nf.verdict.card import scheme_of
from nf.verdict.commitment import Committed
from nf.verdict.decision import Verdict

SUSPECT = "suspect"
"""The name of the one suspect in the table of answers."""

_RUNTIMES = {"openvino": "openvino", "ai-edge-litert": "ai_edge_litert"}
"""Runtimes that are extras: the module of each by the name of its package."""

_GROUPS: tuple[Group, ...] = ("thief", "independent", "twin")


def identify(place: str, suspect: Predictor | None = None) -> dict[str, Any]:
    """What a suspect is, in plain values: its address, or its file and those that its weights lie in, with SHA-256.

    Call it before the suspect is asked: the files are read then.

    Args:
        place: address of the suspect, or path of its file.
        suspect: the same, opened; without it, files of weights and the address in an adapter file are not known.

    Returns:
        ``address``, or ``file``, ``sha256`` and ``bytes``: of an adapter file, with the ``address`` that it describes;
        of a network, with the same of each file of its weights under ``beside``.

    Raises:
        SuspectError: a file cannot be read.
    """
    if is_address(place):
        return {"address": place}
    beside = suspect.weights() if isinstance(suspect, IsolatedSuspect) else None
    path = Path(place)
    try:
        known = _file_facts(path)
        if beside is not None:
            known["beside"] = list(map(_file_facts, beside))
    except OSError as error:
        raise SuspectError(f"{path}: expected the suspect's file, cannot read it: {error.strerror}") from error
    return {"address": suspect.address, **known} if isinstance(suspect, ServedSuspect) else known


def evidence(
    verdict: Verdict,
    suspect: str | Mapping[str, Any],
    examined: Examined,
    queries: QuerySet,
    *,
    folder: Path | None = None,
    asked_at: datetime | None = None,
    released: date | None = None,
    committed: Committed | None = None,
    looks: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Plain values of a verdict, of its suspect, of how that was asked, of each answer and of the versions.

    Args:
        verdict: the verdict.
        suspect: what ``identify`` said of the suspect before it was asked, or its address or file, which is read now.
        examined: how the suspect was asked, and what it answered to control images and queries.
        queries: query set that it was asked.
        folder: folder of the query set, where a replay looks for it.
        asked_at: time at which it was asked, with offset; now if ``None``.
        released: stated day on which the suspect was released.
        committed: what was promised of the query set.
        looks: numbers of queries after which a verdict in stages might have been reached; ``None`` of any other.

    Returns:
        ``verdict.to_json()`` with further entries.

    Raises:
        SuspectError: the file cannot be read.
    """
    how = examined.found.how if examined.found else examined.stated
    known = queries.calibration
    return {
        **verdict.to_json(),
        **_facts(suspect, queries, folder, asked_at, released, committed),
        "output": how.kind or "logits",
        "asked": examined.to_json(),
        "looks": None if looks is None else list(looks),
        "answers": _answers(examined.answers, queries),
        "control_answers": _control_answers(examined),
        "held_out": None if known is None else _summary(known, verdict.queries),
    }


def no_verdict(
    reason: str,
    queries: QuerySet,
    suspect: str | Mapping[str, Any],
    stated: Interface,
    *,
    folder: Path | None = None,
    asked_at: datetime | None = None,
    released: date | None = None,
    committed: Committed | None = None,
) -> dict[str, Any]:
    """What there is to say of a suspect that gets no verdict: why, and what it was and was said to be.

    Args:
        reason: why there is none.
        queries: query set that it would have been judged with.
        suspect: what ``identify`` said of the suspect before it was asked, or its address or file, which is read now.
        stated: how it was said to be asked.
        folder: folder of the query set.
        asked_at: time at which it was asked, with offset; now if ``None``.
        released: stated day on which the suspect was released.
        committed: what was promised of the query set.

    Raises:
        SuspectError: the suspect's file cannot be read.
    """
    return {
        "outcome": "no verdict",
        "stolen": None,
        "reason": printable(reason),
        "scheme": scheme_of(queries),
        "query_set_digest": queries.digest,
        "stated": stated.to_json(),
        **_facts(suspect, queries, folder, asked_at, released, committed),
    }


def write_evidence(folder: Path, record: dict[str, Any], answers: Answers | None) -> dict[str, Any]:
    """Write ``answers.safetensors`` and last ``evidence.json`` into ``folder``.

    Args:
        folder: folder for the two, made where there is none.
        record: evidence.
        answers: answers to the queries; ``None`` where there is no verdict.

    Returns:
        ``record`` with the SHA-256 of the answers' file.

    Raises:
        ArtifactError: a file cannot be written.
    """
    if answers is not None:
        AnswerTable({SUSPECT: answers}).save(folder / ANSWERS_FILE)
        record = {**record, "answers_file": {"name": ANSWERS_FILE, "sha256": sha256_file(folder / ANSWERS_FILE)}}
    write_sealed(folder / EVIDENCE_FILE, record)
    return record


def check_evidence_folder(folder: Path) -> None:
    """Make ``folder`` and check that evidence can be written there; to be called before a suspect is asked.

    Raises:
        ArtifactError: it, or a folder in it, holds evidence already, which is not overwritten, or it is not writable.
    """
    if (folder / EVIDENCE_FILE).exists() or any(folder.glob(f"*/{EVIDENCE_FILE}")):
        raise ArtifactError(f"{folder}: expected a folder without evidence, found {EVIDENCE_FILE}; name another one")
    try:
        make_folder(folder)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise ArtifactError(f"{folder}: expected a folder for the evidence, got {error.strerror}") from error
    if not writable:
        raise ArtifactError(f"{folder}: expected a folder for the evidence, cannot write there")


def image_digest(image: NDArray[np.uint8]) -> str:
    """SHA-256 of the bytes of one ``image`` (C, H, W), row by row and channel by channel."""
    return sha256_bytes(np.ascontiguousarray(image).tobytes())


def _answers(answers: Answers, queries: QuerySet) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "sha256": image_digest(queries.images[index]),
            "expected": int(queries.labels[index]),
            "honest": int(queries.negative_labels[index]) if queries.negative_labels[index] >= 0 else None,
            "given": int(given),
        }
        for index, given in enumerate(answers.labels)
    ]


def _control_answers(examined: Examined) -> list[dict[str, Any]]:
    if examined.controls is None or examined.found is None:
        return []
    shown = zip(examined.controls.images, examined.controls.labels, examined.found.labels, strict=True)
    return [
        {"index": index, "sha256": image_digest(image), "expected": int(label), "given": int(given)}
        for index, (image, label, given) in enumerate(shown)
    ]


def look_of(known: Calibration, queries: int) -> Look:
    """The look that a verdict by so many ``queries`` was taken at."""
    return next(look for look in known.looks if look.queries == queries)


def _summary(known: Calibration, queries: int) -> dict[str, Any]:
    """Held-out scores, in log odds, of each group of calibration models and of each model in it."""
    scores = np.array(look_of(known, queries).held_out)
    groups: dict[str, Any] = {}
    for group in _GROUPS:
        places = known.select(group)
        if len(places):
            groups[group] = {
                "models": len(places),
                "lineages": len({known.models[place].lineage for place in places}),
                "mean": float(scores[places].mean()),
                "lowest": float(scores[places].min()),
                "highest": float(scores[places].max()),
                "each": [
                    {"kind": known.models[place].kind, "lineage": known.models[place].lineage, "score": float(score)}
                    for place, score in zip(places, scores[places], strict=True)
                ],
            }
    return groups


def _facts(
    suspect: str | Mapping[str, Any],
    queries: QuerySet,
    folder: Path | None,
    asked_at: datetime | None,
    released: date | None,
    committed: Committed | None,
) -> dict[str, Any]:
    import onnxruntime  # takes longer than all else that a verdict imports

    versions = {
        "nf": VERSION,
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _RUNTIMES if find_spec(_RUNTIMES[name]) is not None},
    }
    query_set = {
        "folder": None if folder is None else str(folder.resolve()),
        "queries": len(queries),
        "controls": queries.controls.digest if queries.controls else None,
        "calibration": queries.calibration.digest if queries.calibration else None,
        "floor": queries.card.get("floor"),
    }
    return {
        "suspect": identify(suspect) if isinstance(suspect, str) else dict(suspect),
        "released": released.isoformat() if released else None,
        "asked_at": (asked_at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"),
        "query_set": query_set,
        "commitment": committed.to_json() if committed else None,
        "versions": versions,
    }


def _file_facts(path: Path) -> dict[str, Any]:
    return {"file": printable(path.name), "sha256": sha256_file(path), "bytes": path.stat().st_size}
