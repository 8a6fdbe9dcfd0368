"""A verdict with all that a third party needs to repeat it."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from nf.core.errors import SuspectError
from nf.core.files import sha256_file
from nf.core.queries import QuerySet
from nf.core.version import VERSION
from nf.suspects import Examined, Interface, is_address
from nf.verdict.card import scheme_of
from nf.verdict.decision import Verdict


def evidence(verdict: Verdict, suspect: str, examined: Examined) -> dict[str, Any]:
    """Plain values of a verdict, of its suspect, of how that was asked and of the versions that were used.

    Args:
        verdict: the verdict.
        suspect: address of the suspect, or path of its file, of which SHA-256 and size are added.
        examined: how the suspect was asked, and what it answered to control images.

    Returns:
        ``verdict.to_json()`` with further entries.

    Raises:
        SuspectError: the file cannot be read.
    """
    how = examined.found.how if examined.found else examined.stated
    output = how.kind or "logits"
    return {**verdict.to_json(), **_facts(suspect), "output": output, "asked": examined.to_json()}


def no_verdict(reason: str, queries: QuerySet, suspect: str, stated: Interface) -> dict[str, Any]:
    """What there is to say of a suspect that gets no verdict: why, and what it was and was said to be.

    Raises:
        SuspectError: the suspect's file cannot be read.
    """
    return {
        "outcome": "no verdict",
        "stolen": None,
        "reason": reason,
        "scheme": scheme_of(queries),
        "query_set_digest": queries.digest,
        "stated": stated.to_json(),
        **_facts(suspect),
    }


def _facts(suspect: str) -> dict[str, Any]:
    import onnxruntime  # takes longer than all else that a verdict imports

    versions = {
        "nf": VERSION,
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }
    facts = {"address": suspect} if is_address(suspect) else _file_facts(Path(suspect))
    return {"suspect": facts, "versions": versions}


def _file_facts(path: Path) -> dict[str, Any]:
    try:
        return {"file": path.name, "sha256": sha256_file(path), "bytes": path.stat().st_size}
    except OSError as error:
        raise SuspectError(f"{path}: expected the suspect's file, cannot read it: {error.strerror}") from error
