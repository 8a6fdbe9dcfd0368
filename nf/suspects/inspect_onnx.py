"""What an ONNX file declares, read without running it, and reasons to refuse it.

A suspect comes from somebody who may not want it to be tested. Weights in other files could be any file, foreign
domains call code beside the file, and loops need never end; a classifier has use for none of them. Weights in a file
beside the network's are common, and are read here, so that the runtime opens nothing. ``If`` chooses between two
networks, which are inspected like the one around them, and ends.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]

from nf.core.errors import SuspectError
from nf.suspects.files import MAX_BYTES, named, read_beside, read_file
from nf.suspects.formats import advice
from nf.suspects.signature import Port, Signature

LOCATION = "location"
"""Key of the name of a file of weights, in whatever holds some of its weights in files beside it."""

_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"}
_LOOPS = {"Loop", "Scan", "SequenceMap"}
_BRANCH = "If"
_UNROLLED = (
    ": export it with its loops unrolled, as torch.onnx.export does where it traces; skl2onnx writes none for "
    "neighbours with options={KNeighborsClassifier: {'optim': 'cdist'}}"
)


def read_suspect(path: Path, *, max_bytes: int = MAX_BYTES) -> tuple[bytes, Signature]:
    """The bytes of the file at ``path`` with its weights, found harmless as far as that shows without running them.

    Args:
        path: an ONNX file; weights may lie in files beside it.
        max_bytes: more, all files together, are not read.

    Raises:
        SuspectError: the file is missing, empty, too large or no ONNX; its weights lie elsewhere; it uses foreign
            domains or loops; or it is not a network from arrays to arrays.
    """
    data = read_file(path, max_bytes)
    model = _parsed(path, data)
    if not model.graph.node:
        raise SuspectError(f"{path}: expected an ONNX file, got {advice(path, data) or 'one without a graph'}")
    try:
        _refuse_harmful(model)
        if _take_in_weights(model, path.parent, max_bytes - len(data)):
            data = model.SerializeToString()
        return data, _signature(model.graph)
    except SuspectError as error:
        raise SuspectError(f"{path}: {error}") from None
    except EncodeError:
        raise SuspectError(f"{path}: expected a network of less than 2 GiB with its weights, got more") from None


def weights_of_onnx(path: Path) -> tuple[str, ...]:
    """Names of the files that the ONNX file at ``path`` says its weights lie in, each once; none if in itself.

    Raises:
        SuspectError: the file is missing, empty, too large or no ONNX.
    """
    places = chain.from_iterable(tensor.external_data for tensor in _tensors(_parsed(path, read_file(path))))
    return tuple(dict.fromkeys(entry.value for entry in places if entry.key == LOCATION))


def _parsed(path: Path, data: bytes) -> onnx.ModelProto:
    try:
        return onnx.load_model_from_string(data)
    except DecodeError:
        raise SuspectError(
            f"{path}: expected an ONNX file, got {advice(path, data) or 'something else or a part of one'}"
        ) from None


def _refuse_harmful(model: onnx.ModelProto) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model):
        if node.domain not in _DOMAINS and (node.domain, node.op_type) not in own:
            raise SuspectError(f"expected standard operators, got {named(node.op_type)} of domain {named(node.domain)}")
        branch = node.op_type == _BRANCH and node.domain in ("", "ai.onnx")
        if node.op_type in _LOOPS or (not branch and any(map(_holds_graph, node.attribute))):
            raise SuspectError(f"expected a network without loops, got {named(node.op_type)}{_UNROLLED}")
    for function in model.functions:
        if any(map(_holds_graph, function.attribute_proto)):
            raise SuspectError(
                f"expected a network without loops, got a subgraph for {named(function.name)}{_UNROLLED}"
            )


def _holds_graph(attribute: onnx.AttributeProto) -> bool:
    return attribute.HasField("g") or bool(attribute.graphs)


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The graph, and the subgraphs of its nodes and of the file's own functions, to any depth."""
    waiting = [model.graph]
    for function in model.functions:
        waiting += _subgraphs(function.node)
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting += _subgraphs(graph.node)


def _subgraphs(nodes: "chain[onnx.NodeProto] | list[onnx.NodeProto]") -> list[onnx.GraphProto]:
    attributes = [attribute for node in nodes for attribute in node.attribute if _holds_graph(attribute)]
    return [graph for attribute in attributes for graph in (attribute.g, *attribute.graphs)]


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Nodes of the graph, of its subgraphs and of the file's own functions."""
    for graph in _graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    defaults = chain.from_iterable(function.attribute_proto for function in model.functions)
    attributes = [*chain.from_iterable(node.attribute for node in _nodes(model)), *defaults]
    sparse = []
    for graph in _graphs(model):
        sparse += [*graph.sparse_initializer]
        yield from graph.initializer
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        sparse += [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
        sparse += [*attribute.sparse_tensors]
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices


def _take_in_weights(model: onnx.ModelProto, folder: Path, max_bytes: int) -> bool:
    """Put weights from files beside the network into it; whether there were any.

    Raises:
        SuspectError: a file is not one beside the network, is too large or too short, or is not there.
    """
    files: dict[str, bytes] = {}
    outside = [t for t in _tensors(model) if t.external_data or t.data_location == onnx.TensorProto.EXTERNAL]
    for tensor in outside:
        where = {entry.key: entry.value for entry in tensor.external_data}
        name = where.get(LOCATION, "")
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            raise SuspectError(f"expected weights inside the file or beside it, got both for {named(tensor.name)}")
        if name not in files:
            files[name] = read_beside(folder, name, max_bytes - sum(map(len, files.values())))
        start, length = _extent(where, tensor)
        data = files[name][start : start + length]
        if len(data) < length:
            raise SuspectError(
                f"expected {length:,} bytes of weights from {start:,} on in {named(name)}, got {len(data):,}"
            )
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = data
    return bool(outside)


def _extent(where: dict[str, str], tensor: onnx.TensorProto) -> tuple[int, int]:
    """(offset, length) in bytes of what ``tensor`` refers to."""
    try:
        bits = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        count = 1
        for size in tensor.dims:
            count *= size
        start = int(where.get("offset", "0"))
        length = int(where["length"]) if "length" in where else count * bits
    except (ValueError, KeyError, TypeError):
        raise SuspectError(f"expected numbers for where weights are, got none for {named(tensor.name)}") from None
    if start < 0 or length < 0:
        raise SuspectError(f"expected weights at a place in their file, got {start} and {length}")
    return start, length


def _signature(graph: onnx.GraphProto) -> Signature:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = tuple(_port(value) for value in graph.input if value.name not in weights)
    outputs = tuple(map(_port, graph.output))
    if not inputs or not outputs:
        raise SuspectError(f"expected an input and an output, got {len(inputs)} and {len(outputs)}")
    return Signature(inputs, outputs)


def _port(value: onnx.ValueInfoProto) -> Port:
    kind = value.type
    if kind.HasField("sequence_type"):
        return Port(value.name, "map", None, mapping=kind.sequence_type.elem_type.HasField("map_type"))
    tensor = kind.tensor_type
    shape = _shape(tensor) if tensor.HasField("shape") else None
    return Port(value.name, _type_name(tensor), shape)


def _type_name(tensor: onnx.TypeProto.Tensor) -> str:
    names: dict[int, str] = {number: name.lower() for name, number in onnx.TensorProto.DataType.items()}
    name = names.get(tensor.elem_type, f"type {tensor.elem_type}")
    return {"float": "float32", "double": "float64"}.get(name, name)


def _shape(tensor: onnx.TypeProto.Tensor) -> tuple[int | None, ...]:
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
