"""Suspects of the zoo as others meet them: ONNX files, some of them behind an input defence."""

from pathlib import Path

from nf.core.lineage import ModelSpec
from nf.core.predictor import Predictor
from nf.suspects import DefendedSuspect, OnnxSuspect


def open_zoo_suspect(folder: Path, spec: ModelSpec) -> Predictor:
    """The suspect ``spec`` from the ONNX files in ``folder``.

    Raises:
        SuspectError: the suspect's file is missing or cannot be loaded.
    """
    if spec.attack == "defend":
        return DefendedSuspect(OnnxSuspect(folder / f"{spec.parent}.onnx"), spec.level)
    return OnnxSuspect(folder / f"{spec.id}.onnx")
