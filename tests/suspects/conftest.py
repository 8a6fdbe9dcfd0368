"""Small ONNX files written as text, in the ONNX language."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray

from nf.core.calibration import Calibration, CalibrationModel, Group, Levels, Look
from nf.core.controls import Controls
from nf.core.queries import QuerySet

WEIGHTS = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)


def parse(text: str) -> onnx.ModelProto:
    """The model whose graph is ``text``; ``w`` in it stands for ``WEIGHTS``."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]>{text}')
    model.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHTS, "w"))
    return model


def calibration(queries: int) -> Calibration:
    """One for so many queries: a suspect that answers them all like a thief is beyond both levels, at half of them
    beyond the first alone, and with none of them beyond neither."""
    groups: tuple[tuple[Group, float], ...] = (("thief", 0.9), ("independent", 0.15), ("twin", 0.5))
    models, held_out = [], []
    for group, share in groups:
        for number, apart in enumerate(np.linspace(-0.05, 0.05, 8)):
            lineage = "source" if group == "thief" else f"{group}-{number}"
            models.append(CalibrationModel(f"{group}-{number}", group, "train", lineage))
            held_out.append(queries * (share + float(apart) - 0.35))
    look = Look(queries, (1.0,) * queries, -0.35 * queries, tuple(held_out))
    return Calibration(tuple(models), (look,), Levels(), candidates=100, folds=5)


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


@pytest.fixture
def graded() -> QuerySet:
    """A set with control images and a calibration.

    The class of an image is its first pixel, and queries have a bright second one.
    """
    rng = np.random.default_rng(4)
    images, shown = (rng.integers(0, 256, (count, 1, 4, 4), dtype=np.uint8) for count in (30, 48))
    for some, bright in ((images, 128), (shown, 0)):
        some[:, 0, 0, 0] = np.arange(len(some)) % 3
        some[:, 0, 0, 1] = some[:, 0, 0, 1] % 128 + bright
    card = {"scheme": "naturalfinger", "threshold": 0.6, "num_classes": 3, "floor": 0.5}
    labels = images[:, 0, 0, 0].astype(np.int64)
    controls = Controls(shown, shown[:, 0, 0, 0].astype(np.int64))
    return QuerySet(images, labels, (labels + 1) % 3, card, None, controls, calibration(len(images)))


@pytest.fixture
def learned() -> str:
    """A network that gives the images of ``graded`` their classes, queries too; it takes pixels in [0, 1]."""
    return _network("shift = Constant <value_float = 0.0> ()")


@pytest.fixture
def independent() -> str:
    """One that gives control images their classes, and queries the next."""
    return _network("shift = Cast <to = 1> (bright)")


def _network(shift: str) -> str:
    return f"""net (float[N,1,4,4] images) => (float[N,3] logits) {{
        scale = Constant <value_float = 255.0> ()
        pixels = Mul (images, scale)
        flat = Flatten (pixels)
        axis = Constant <value_ints = [1]> ()
        zero = Constant <value_ints = [0]> ()
        one = Constant <value_ints = [1]> ()
        two = Constant <value_ints = [2]> ()
        first = Slice (flat, zero, one, axis)
        second = Slice (flat, one, two, axis)
        half = Constant <value_float = 127.5> ()
        bright = Greater (second, half)
        {shift}
        moved = Add (first, shift)
        classes = Constant <value_floats = [0.0, 1.0, 2.0]> ()
        apart = Sub (moved, classes)
        near = Abs (apart)
        count = Constant <value_float = 3.0> ()
        beyond = Sub (apart, count)
        around = Abs (beyond)
        distance = Min (near, around)
        logits = Neg (distance)
    }}"""
