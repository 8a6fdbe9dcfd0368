"""Smaller copies of a classifier's ONNX file, as a thief would deploy them: 16-bit floats and 8-bit integers."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from nf.core.errors import UnknownNameError
from nf.core.files import write_bytes
from nf.models.onnx.export import INPUT_NAME

# Where the work is; all other operators stay in float32.
_QUANTISED = ["Conv", "Gemm", "MatMul"]
# onnxruntime's own sign that a graph is ready. Without it, it advises every caller to optimise first.
_READY = {"onnx.quant.pre_process": "onnxruntime.quant"}


def to_float16(model: onnx.ModelProto, images: NDArray[np.uint8]) -> onnx.ModelProto:
    """Copy of ``model`` with weights and arithmetic in 16 bits; input and output stay float32.

    ``images`` are not needed: the parameter is that of every entry of ``COMPRESSIONS``.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    del images
    converted: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    return converted


def to_int8(model: onnx.ModelProto, images: NDArray[np.uint8]) -> onnx.ModelProto:
    """Copy of ``model`` after static quantisation: 7-bit weights per channel in int8, uint8 activations.

    Args:
        model: classifier as ``OnnxExporter`` writes it.
        images: (N, C, H, W) uint8, on which the ranges of the activations are measured.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Calibration(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter([{INPUT_NAME: images.astype(np.float32) / np.float32(255)}])

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self._batches, None)

    onnx.helper.set_model_props(model, _READY)
    with tempfile.TemporaryDirectory() as folder:  # it gives its result as a file only
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            Calibration(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # 7 bits: processors without VNNI let sums of products of 8 overflow
        )
        quantised = onnx.load(path)
    quantised.ClearField("metadata_props")
    return quantised


COMPRESSIONS: dict[str, Callable[[onnx.ModelProto, NDArray[np.uint8]], onnx.ModelProto]] = {
    "fp16": to_float16,
    "int8": to_int8,
}


def compress(source: Path, target: Path, form: str, images: NDArray[np.uint8]) -> None:
    """Write a smaller copy of the classifier in ``source`` to ``target``.

    Args:
        source: ONNX file that ``OnnxExporter`` wrote.
        target: ONNX file to write, whole or not at all.
        form: key of ``COMPRESSIONS``.
        images: (N, C, H, W) uint8, the thief's own, on which the ranges of activations are measured.

    Raises:
        UnknownNameError: there is no such form.
        ArtifactError: the file cannot be written.
    """
    if form not in COMPRESSIONS:
        raise UnknownNameError("compression", form, COMPRESSIONS)
    smaller = COMPRESSIONS[form](onnx.load(source), images)
    write_bytes(target, smaller.SerializeToString(deterministic=True))
