"""A verdict with what a third party needs to repeat it."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from nf import __version__
from nf.core.errors import SuspectError
from nf.core.files import sha256_file
from nf.verification.decision import Verdict


def evidence(verdict: Verdict, suspect: Path) -> dict[str, Any]:
    """``verdict.to_json()`` with the SHA-256 and size of the suspect's file and the versions that asked it.

    Raises:
        SuspectError: the file cannot be read.
    """
    import onnxruntime  # takes longer than all else that a verdict imports

    try:
        facts = {"file": suspect.name, "sha256": sha256_file(suspect), "bytes": suspect.stat().st_size}
    except OSError as error:
        raise SuspectError(f"{suspect}: expected the suspect's file, cannot read it: {error.strerror}") from error
    versions = {
        "nf": __version__,
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }
    return {**verdict.to_json(), "suspect": facts, "versions": versions}
