"""Suspects of the zoo as others meet them: ONNX files, some of them behind an input defence."""

import numpy as np
from numpy.typing import NDArray

from nf.core.lineage import SOURCE_ID, ModelSpec
from nf.core.paths import Layout
from nf.core.predictor import OutputKind, Predictor
from nf.stages.own_model import is_black_box, load_source
from nf.suspects import DefendedSuspect, OnnxSuspect


def open_zoo_suspect(layout: Layout, spec: ModelSpec) -> Predictor:
    """The suspect ``spec`` from its ONNX file, or from its parent's behind a defence; a black box is asked itself.

    Raises:
        SuspectError: the suspect's file is missing or cannot be loaded.
    """
    if spec.attack == "defend" and spec.parent is not None:
        return DefendedSuspect(OnnxSuspect(layout.exported(spec.parent)), spec.level)
    if spec.id == SOURCE_ID and is_black_box(layout):
        return _Source(layout)
    return OnnxSuspect(layout.exported(spec.id))


class _Source:
    """The owner's model, where it is a black box, as a suspect among others."""

    output: OutputKind = "logits"

    def __init__(self, layout: Layout) -> None:
        self._model = load_source(layout)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        from nf.models import predict

        return predict(self._model, torch.from_numpy(images)).numpy()
