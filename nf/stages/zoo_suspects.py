"""Suspects of the zoo as others meet them: ONNX files, some of them behind an input defence."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import ArtifactError
from nf.core.files import read_json, sha256_file, write_sealed
from nf.core.lineage import SOURCE_ID, ModelSpec
from nf.core.paths import CARD_FILE, Layout
from nf.core.predictor import OutputKind, Predictor
from nf.stages.own_model import is_black_box, load_source
from nf.suspects import DefendedSuspect, OnnxSuspect

_ADVICE = "run `nf export`"


def write_exports_card(layout: Layout, ids: Iterable[str]) -> None:
    """Write ``onnx/card.json``: what the ONNX files of the models ``ids``, which are all there, hash to.

    Raises:
        ArtifactError: it cannot be written.
    """
    digests = {model_id: sha256_file(layout.exported(model_id)) for model_id in ids}
    write_sealed(layout.onnx / CARD_FILE, {"files_sha256": digests})


def read_exports_card(layout: Layout) -> Mapping[str, str]:
    """SHA-256 of each ONNX file by the model's id.

    Raises:
        ArtifactError: the card is missing or damaged.
    """
    digests = read_json(layout.onnx / CARD_FILE, advice=_ADVICE).get("files_sha256")
    if not isinstance(digests, dict):
        raise ArtifactError(f"{layout.onnx / CARD_FILE}: expected digests of ONNX files, got none; {_ADVICE}")
    return digests


def open_zoo_suspect(layout: Layout, spec: ModelSpec, digests: Mapping[str, str]) -> Predictor:
    """The suspect ``spec`` from its ONNX file in ``layout``, or from its parent's behind a defence.

    Args:
        layout: folders of the profile.
        spec: the suspect.
        digests: what ``read_exports_card`` says of the files.

    Raises:
        ArtifactError: the file is missing or damaged.
        SuspectError: the file cannot be loaded.
    """
    if spec.attack == "defend" and spec.parent is not None:
        return DefendedSuspect(_open(layout, spec.parent, digests), spec.level)
    if spec.id == SOURCE_ID and is_black_box(layout):
        return _Source(layout)
    return _open(layout, spec.id, digests)


def _open(layout: Layout, model_id: str, digests: Mapping[str, str]) -> Predictor:
    path = layout.exported(model_id)
    try:
        found = sha256_file(path)
    except OSError as error:
        raise ArtifactError(f"expected an ONNX file at {path}: {error.strerror}; {_ADVICE}") from error
    if found != digests.get(model_id):
        raise ArtifactError(f"{path} does not match the SHA-256 in its card; {_ADVICE}")
    return OnnxSuspect(path)


class _Source:
    """The owner's model, where it is a black box, as a suspect among others."""

    output: OutputKind = "logits"

    def __init__(self, layout: Layout) -> None:
        self._model = load_source(layout)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        from nf.models import predict

        return predict(self._model, torch.from_numpy(images)).numpy()
