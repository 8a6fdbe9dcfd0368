"""What an ONNX file declares, read without running it, and reasons to refuse it.

A suspect comes from somebody who may not want it to be tested. External data lets a file read other files, foreign
domains call code beside the file, and control flow need never end; a classifier has use for none of them.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from nf.core.errors import SuspectError

MAX_BYTES = 1 << 30
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
_CONTROL_FLOW = {"If", "Loop", "Scan", "SequenceMap"}


@dataclass(frozen=True)
class Signature:
    """The one input and the one output of a classifier; ``None`` stands for a size that the file leaves open.

    Attributes:
        input_name: takes float32 (N, C, H, W).
        batch: N.
        input_shape: (C, H, W).
        num_classes: second dimension of the output, where it has two.
    """

    input_name: str
    batch: int | None
    input_shape: tuple[int | None, int | None, int | None]
    num_classes: int | None


def read_suspect(path: Path, *, max_bytes: int = MAX_BYTES) -> tuple[bytes, Signature]:
    """The bytes of the file at ``path``, found harmless as far as that shows without running them.

    Args:
        path: an ONNX file.
        max_bytes: larger files are not read.

    Raises:
        SuspectError: the file is missing, empty, too large or no ONNX; it uses external data, foreign domains or
            control flow; or it is not a classifier of images.
    """
    data = _read(path, max_bytes)
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        raise SuspectError(f"{path}: expected an ONNX file, got something else or a part of one") from None
    if not model.graph.node:
        raise SuspectError(f"{path}: expected an ONNX file, got one without a graph")
    try:
        _refuse_harmful(model)
        return data, _signature(model.graph)
    except SuspectError as error:
        raise SuspectError(f"{path}: {error}") from None


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SuspectError(f"{path}: expected an ONNX file, got a folder or device")
        if status.st_size == 0:
            raise SuspectError(f"{path}: expected an ONNX file, got an empty one")
        if status.st_size > max_bytes:
            raise SuspectError(f"{path}: expected at most {max_bytes:,} bytes, got {status.st_size:,}")
        return path.read_bytes()
    except FileNotFoundError:
        raise SuspectError(f"{path}: expected an ONNX file, found nothing") from None
    except OSError as error:
        raise SuspectError(f"{path}: expected an ONNX file, cannot read it: {error.strerror}") from error


def _refuse_harmful(model: onnx.ModelProto) -> None:
    if any(tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise SuspectError("expected all weights inside the file, got external data")
    own = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model):
        if node.domain not in _DOMAINS and (node.domain, node.op_type) not in own:
            raise SuspectError(f"expected standard operators, got {node.op_type!r} of domain {node.domain!r}")
        if node.op_type in _CONTROL_FLOW or any(map(_holds_graph, node.attribute)):
            raise SuspectError(f"expected a network without control flow, got {node.op_type!r}")
    for function in model.functions:
        if any(map(_holds_graph, function.attribute_proto)):
            raise SuspectError(f"expected a network without control flow, got a subgraph for {function.name!r}")


def _holds_graph(attribute: onnx.AttributeProto) -> bool:
    return attribute.HasField("g") or bool(attribute.graphs)


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Nodes of the graph and of the file's own functions; subgraphs need no walk, as a node that has one is refused."""
    yield from model.graph.node
    for function in model.functions:
        yield from function.node


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    defaults = chain.from_iterable(function.attribute_proto for function in model.functions)
    attributes = [*chain.from_iterable(node.attribute for node in _nodes(model)), *defaults]
    sparse = [*model.graph.sparse_initializer]
    yield from model.graph.initializer
    for attribute in attributes:
        yield attribute.t
        yield from attribute.tensors
        sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices


def _signature(graph: onnx.GraphProto) -> Signature:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise SuspectError(
            f"expected one input and one output, got {len(inputs)} and {len(graph.output)}: "
            f"{', '.join(repr(value.name) for value in (*inputs, *graph.output))}"
        )
    tensor = inputs[0].type.tensor_type
    shape = _shape(tensor)
    if tensor.elem_type != onnx.TensorProto.FLOAT or len(shape) != 4:
        raise SuspectError(
            f"expected a float32 input of shape (N, C, H, W), got {inputs[0].name!r} of "
            f"{_type_name(tensor)} and {len(shape)} dimensions"
        )
    batch, channels, height, width = shape
    answer = _shape(graph.output[0].type.tensor_type)
    return Signature(inputs[0].name, batch, (channels, height, width), answer[1] if len(answer) == 2 else None)


def _type_name(tensor: onnx.TypeProto.Tensor) -> str:
    names: dict[int, str] = {number: name.lower() for name, number in onnx.TensorProto.DataType.items()}
    return names.get(tensor.elem_type, f"type {tensor.elem_type}")


def _shape(tensor: onnx.TypeProto.Tensor) -> tuple[int | None, ...]:
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
