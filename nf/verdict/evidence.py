"""A verdict with all that a third party needs to repeat it."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from nf.core.errors import SuspectError
from nf.core.files import sha256_file
from nf.core.predictor import OutputKind
from nf.core.version import VERSION
from nf.suspects import is_address
from nf.verdict.decision import Verdict


def evidence(verdict: Verdict, suspect: str, output: OutputKind) -> dict[str, Any]:
    """Plain values of a verdict, of its suspect and of the versions that were used.

    Args:
        verdict: the verdict.
        suspect: address of the suspect, or path of its file, of which SHA-256 and size are added.
        output: form that the suspect's answers were taken for.

    Returns:
        ``verdict.to_json()`` with further entries.

    Raises:
        SuspectError: the file cannot be read.
    """
    import onnxruntime  # takes longer than all else that a verdict imports

    facts = {"address": suspect} if is_address(suspect) else _file_facts(Path(suspect))
    versions = {
        "nf": VERSION,
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }
    return {**verdict.to_json(), "suspect": facts, "output": output, "versions": versions}


def _file_facts(path: Path) -> dict[str, Any]:
    try:
        return {"file": path.name, "sha256": sha256_file(path), "bytes": path.stat().st_size}
    except OSError as error:
        raise SuspectError(f"{path}: expected the suspect's file, cannot read it: {error.strerror}") from error
