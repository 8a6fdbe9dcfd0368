"""Small TFLite files, built from the format's own schema."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_TYPES = {"float32": schema.TensorType.FLOAT32, "uint8": schema.TensorType.UINT8, "int32": schema.TensorType.INT32}


class Builder:
    """A graph that grows operator by operator."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, name: str, shape: list[int], dtype: str, values: NDArray[np.generic] | None = None) -> int:
        """Sizes of -1 are open; ``scale`` makes the numbers stand for multiples of it."""
        tensor = schema.TensorT()
        tensor.name, tensor.type = name.encode(), _TYPES[dtype]
        tensor.shape = [abs(size) for size in shape]
        if -1 in shape:
            tensor.shapeSignature = shape
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.astype(dtype).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def quantised(self, tensor: int, scale: float, zero: int) -> int:
        """The numbers of ``tensor`` are ``scale * (number - zero)``."""
        known = schema.QuantizationParametersT()
        known.scale, known.zeroPoint = [scale], [zero]
        self.graph.tensors[tensor].quantization = known
        return tensor

    def operator(self, code: int, inputs: list[int], outputs: list[int], kind: int = 0, options: object = None) -> None:
        known = schema.OperatorCodeT()
        known.builtinCode = known.deprecatedBuiltinCode = code
        known.version = 1
        self.model.operatorCodes.append(known)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.graph.operators.append(operator)

    def bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def linear(
    weights: NDArray[np.generic],
    batch: int = -1,
    *,
    shape: tuple[int, int] = (4, 4),
    shift: float = 0.0,
    quantised: bool = False,
) -> bytes:
    """A linear classifier of (batch, H, W, 1) pixels in [0, 1], or of bytes to quantised answers.

    Args:
        weights: (H * W, classes).
        batch: images that it takes at once, -1 for any.
        shape: (H, W).
        shift: added to each pixel.
        quantised: whether it takes bytes, and answers with bytes.
    """
    net, classes = Builder(), weights.shape[1]
    image = net.tensor("images", [batch, *shape, 1], "uint8" if quantised else "float32")
    pixels = image
    if quantised:
        net.quantised(image, 1 / 255, 0)
        pixels = net.tensor("pixels", [batch, *shape, 1], "float32")
        net.operator(schema.BuiltinOperator.DEQUANTIZE, [image], [pixels])
    matrix = net.tensor("weights", [classes, len(weights)], "float32", weights.T)
    bias = net.tensor("bias", [classes], "float32", weights.sum(axis=0) * shift)
    scores = net.tensor("scores", [batch, classes], "float32")
    options = schema.FullyConnectedOptionsT()
    kind = schema.BuiltinOptions.FullyConnectedOptions
    net.operator(schema.BuiltinOperator.FULLY_CONNECTED, [pixels, matrix, bias], [scores], kind, options)
    if not quantised:
        return net.bytes([image], [scores])
    answers = net.quantised(net.tensor("answers", [batch, classes], "uint8"), 0.1, 128)
    net.operator(schema.BuiltinOperator.QUANTIZE, [scores], [answers])
    return net.bytes([image], [answers])
