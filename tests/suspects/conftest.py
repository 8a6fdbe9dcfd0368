"""Small ONNX files written as text, in the ONNX language."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray

from nf.core.queries import QuerySet

WEIGHTS = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)


def parse(text: str) -> onnx.ModelProto:
    """The model whose graph is ``text``; ``w`` in it stands for ``WEIGHTS``."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]>{text}')
    model.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHTS, "w"))
    return model


@pytest.fixture
def linear() -> str:
    """A linear classifier of 1x4x4 images into three classes."""
    return """net (float[N,1,4,4] images) => (float[N,3] logits) {
        flat = Flatten (images)
        logits = MatMul (flat, w)
    }"""


@pytest.fixture
def model(linear: str) -> onnx.ModelProto:
    """``linear``, to be spoilt."""
    return parse(linear)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | onnx.ModelProto], Path]:
    """Writes a model, or the text of one, and returns the file."""

    def write_model(model: str | onnx.ModelProto) -> Path:
        path = tmp_path / "suspect.onnx"
        path.write_bytes((parse(model) if isinstance(model, str) else model).SerializeToString())
        return path

    return write_model


@pytest.fixture
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (7, 1, 4, 4), dtype=np.uint8)


@pytest.fixture
def scores(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What ``linear`` answers to ``images``."""
    return images.reshape(len(images), -1).astype(np.float64) / 255 @ WEIGHTS.astype(np.float64)


@pytest.fixture
def queries(images: NDArray[np.uint8]) -> QuerySet:
    labels = np.array([0, 1, 2, 0, 1, 2, 0])
    return QuerySet(images, labels, np.full(7, -1), {"scheme": "naturalfinger", "threshold": 0.6})
