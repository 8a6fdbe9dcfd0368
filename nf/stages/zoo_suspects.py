"""Suspects of the zoo as others meet them: ONNX files, some of them behind an input defence."""

from nf.core.lineage import ModelSpec
from nf.core.paths import Layout
from nf.core.predictor import Predictor
from nf.suspects import DefendedSuspect, OnnxSuspect


def open_zoo_suspect(layout: Layout, spec: ModelSpec) -> Predictor:
    """The suspect ``spec`` from its ONNX file in ``layout``, or from its parent's behind a defence.

    Raises:
        SuspectError: the suspect's file is missing or cannot be loaded.
    """
    if spec.attack == "defend" and spec.parent is not None:
        return DefendedSuspect(OnnxSuspect(layout.exported(spec.parent)), spec.level)
    return OnnxSuspect(layout.exported(spec.id))
