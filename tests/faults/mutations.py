"""What a hostile author might do to a file: bytes, structure, text, and bombs of memory, time, output and folding."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

Rng = np.random.Generator
Files = dict[str, bytes]

_NUMBERS = (0, 1, -1, 2, 3, 7, 255, 256, 65_535, 10**6, 2**31 - 1, 2**31, 2**32, 10**9, 2**62, 2**63 - 1, -(2**63))
_NAMES = ("", "images", "logits", "w", "../w", "/etc/passwd", "\x1b[2Jx", "\u202estolen", "x" * 5000, "a\nb", "%s%n")
_PLACES = ("suspect.bin", "../suspect.bin", "/etc/passwd", "/dev/zero", "/proc/self/mem", ".", "", "a\0b", "x" * 300)
_OPERATORS = sorted({each.name for each in onnx.defs.get_all_schemas() if each.domain == ""})


def mutate(rng: Rng, files: Files, named: str) -> tuple[Files, str]:
    """A mutant of ``files``, of which ``named`` is the one that is asked, and the name of what was done."""
    if named.endswith(".onnx"):
        ways = {"bytes": 3, "structure": 5, "outside": 1, **dict.fromkeys(BOMBS, 0.04)}
    elif named.endswith(".xml"):
        ways = {"bytes": 2, "numbers": 4, "tags": 2, "entities": 0.3}
    else:
        ways = {"bytes": 4, "words": 4}
    names = list(ways)
    way = names[int(rng.choice(len(names), p=np.array(list(ways.values())) / sum(ways.values())))]
    if way in BOMBS:
        return {**files, named: BOMBS[way](rng).SerializeToString()}, way
    return _WAYS[way](rng, files, named), way


def _bytes(rng: Rng, files: Files, named: str) -> Files:
    """Flip, cut, double, overwrite or move bytes of one of the files."""
    name = list(files)[int(rng.integers(len(files)))] if rng.random() < 0.3 else named
    data = bytearray(files[name])
    for _ in range(int(rng.geometric(0.5))):
        size = max(len(data), 1)
        start, length = int(rng.integers(size)), int(rng.integers(1, 1 + max(1, size // 8)))
        match int(rng.choice(7, p=(0.4, *[0.1] * 6))):
            case 0 if data:
                data[start % len(data)] ^= 1 << int(rng.integers(8))
            case 1:
                data = data[:start]
            case 2:
                data[start:start] = data[start : start + length]
            case 3:
                data[start : start + length] = rng.bytes(length)
            case 4:
                del data[start : start + length]
            case 5:
                data[start : start + length] = bytes([int(rng.integers(256))]) * length
            case _:
                data[start:start] = rng.bytes(int(rng.integers(1, 64)))
    return {**files, name: bytes(data)}


def _words(rng: Rng, files: Files, named: str) -> Files:
    """Overwrite aligned numbers of four bytes, which offsets, sizes and counts of a flatbuffer are."""
    data = bytearray(files[named])
    for _ in range(int(rng.integers(1, 5))):
        place = 4 * int(rng.integers(len(data) // 4))
        data[place : place + 4] = int(_pick(rng, _NUMBERS) % 2**32).to_bytes(4, "little")
    if rng.random() < 0.8:
        data[4:8] = b"TFL3"
    return {**files, named: bytes(data)}


def _numbers(rng: Rng, files: Files, named: str) -> Files:
    """Other numbers in a text."""
    text = files[named].decode()
    found = list(re.finditer(r"-?\d+", text))
    chosen = {found[int(place)] for place in rng.integers(len(found), size=int(rng.integers(1, 4)))}
    for match in sorted(chosen, key=_end, reverse=True):
        text = text[: match.start()] + str(_pick(rng, _NUMBERS)) + text[match.end() :]
    return {**files, named: text.encode()}


def _tags(rng: Rng, files: Files, named: str) -> Files:
    """Elements of an XML text taken out, doubled, nested deeply or renamed."""
    lines = files[named].decode().splitlines()
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(len(lines)))
        match int(rng.integers(4)):
            case 0:
                del lines[place : place + int(rng.integers(1, 4))]
            case 1:
                lines[place:place] = lines[place : place + int(rng.integers(1, 9))]
            case 2:
                lines[place] = re.sub(r"[A-Z][A-Za-z]+", _pick(rng, _OPERATORS), lines[place], count=1)
            case _:
                lines[place:place] = ["<layer>" * int(rng.integers(1, 5000))]
        lines = lines or [""]
    return {**files, named: "\n".join(lines).encode()}


def _entities(rng: Rng, files: Files, named: str) -> Files:
    """A billion laughs, or a file from elsewhere."""
    text = files[named].decode()
    body = text.partition("?>")[2]
    depth = int(rng.integers(3, 12))
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, depth))
    inner = '<!ENTITY x SYSTEM "file:///etc/passwd">' if rng.random() < 0.3 else f'<!ENTITY e0 "lol">{levels}'
    used = "&x;" if "SYSTEM" in inner else f"&e{depth - 1};"
    head = f'<?xml version="1.0"?><!DOCTYPE net [{inner}]>'
    return {**files, named: (head + body.replace("</net>", f"<x>{used}</x></net>")).encode()}


def _structure(rng: Rng, files: Files, named: str) -> Files:
    """Other operators, attributes, shapes, types, names and edges in an ONNX file that stays one."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(files[named])
    except DecodeError:
        return files
    for _ in range(int(rng.geometric(0.7))):
        _STEPS[int(rng.integers(len(_STEPS)))](rng, model)
    return {**files, named: model.SerializeToString()}


def _operator(rng: Rng, model: onnx.ModelProto) -> None:
    if model.graph.node:
        _pick(rng, model.graph.node).op_type = _pick(rng, _OPERATORS)


def _attribute(rng: Rng, model: onnx.ModelProto) -> None:
    if not model.graph.node:
        return
    node = _pick(rng, model.graph.node)
    values = [int(_pick(rng, _NUMBERS)) for _ in range(int(rng.integers(1, 5)))]
    known = list(onnx.defs.get_schema(node.op_type).attributes) if onnx.defs.has(node.op_type) else ["axis"]
    name = _pick(rng, known or ["axis"])
    value = values[0] if rng.random() < 0.5 else values
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _edge(rng: Rng, model: onnx.ModelProto) -> None:
    if not model.graph.node:
        return
    node = _pick(rng, model.graph.node)
    ends = node.input if rng.random() < 0.7 else node.output
    everything = [name for each in model.graph.node for name in (*each.input, *each.output)] + list(_NAMES)
    if ends and rng.random() < 0.7:
        ends[int(rng.integers(len(ends)))] = _pick(rng, everything)
    else:
        ends.append(_pick(rng, everything))


def _shape(rng: Rng, model: onnx.ModelProto) -> None:
    ports = [*model.graph.input, *model.graph.output]
    if not ports:
        return
    shape = _pick(rng, ports).type.tensor_type.shape
    if rng.random() < 0.3:
        del shape.dim[int(rng.integers(len(shape.dim) + 1)) :]
    else:
        dimension = _pick(rng, shape.dim) if shape.dim else shape.dim.add()
        dimension.dim_value = _pick(rng, [number for number in _NUMBERS if number < 2**63])


def _type(rng: Rng, model: onnx.ModelProto) -> None:
    kinds = [*TensorProto.DataType.values(), 99]
    ports = [*model.graph.input, *model.graph.output]
    if ports and rng.random() < 0.6:
        _pick(rng, ports).type.tensor_type.elem_type = int(_pick(rng, kinds))
    elif model.graph.initializer:
        _pick(rng, model.graph.initializer).data_type = int(_pick(rng, kinds))


def _weights(rng: Rng, model: onnx.ModelProto) -> None:
    if not model.graph.initializer:
        return
    tensor = _pick(rng, model.graph.initializer)
    match int(rng.integers(4)):
        case 0:
            tensor.raw_data = rng.bytes(int(rng.integers(1, 500)))
        case 1:
            del tensor.dims[:]
            tensor.dims.extend(int(_pick(rng, _NUMBERS)) for _ in range(int(rng.integers(1, 5))))
        case 2:
            tensor.raw_data = np.full(48, _pick(rng, [np.nan, np.inf, -np.inf, 3e38]), np.float32).tobytes()
        case _:
            tensor.name = _pick(rng, _NAMES)


def _node(rng: Rng, model: onnx.ModelProto) -> None:
    nodes = model.graph.node
    if not nodes:
        return
    match int(rng.integers(4)):
        case 0:
            del nodes[int(rng.integers(len(nodes)))]
        case 1:
            nodes.add().CopyFrom(_pick(rng, list(nodes)))
        case 2:
            nodes.append(helper.make_node(_pick(rng, _OPERATORS), [_pick(rng, _NAMES)], [_pick(rng, _NAMES)]))
        case _:
            deep = helper.make_graph([], "g", [], [])
            for _ in range(int(rng.integers(1, 120))):
                branch = helper.make_node("If", ["c"], ["o"], then_branch=deep, else_branch=deep)
                outer = helper.make_graph([branch], "g", [], [])
                deep = outer if outer.ByteSize() < 1 << 16 else deep
            nodes.append(helper.make_node("If", ["c"], ["deep"], then_branch=deep))


def _header(rng: Rng, model: onnx.ModelProto) -> None:
    match int(rng.integers(4)):
        case 0:
            model.ir_version = int(_pick(rng, _NUMBERS))
        case 1 if model.opset_import:
            _pick(rng, model.opset_import).version = int(_pick(rng, _NUMBERS))
        case 2:
            model.opset_import.add(domain=_pick(rng, ("com.evil", "ai.onnx", *_NAMES)), version=1)
        case _:
            model.doc_string = "x" * int(rng.integers(1 << 20))


def _name(rng: Rng, model: onnx.ModelProto) -> None:
    ports = [*model.graph.input, *model.graph.output]
    if ports:
        _pick(rng, ports).name = _pick(rng, _NAMES)


def _output(rng: Rng, model: onnx.ModelProto) -> None:
    for _ in range(int(rng.integers(1, 300))):
        model.graph.output.add().name = _pick(rng, ("logits", "flat", *_NAMES))


_STEPS: tuple[Callable[[Rng, onnx.ModelProto], None], ...] = (
    *(_operator, _attribute, _attribute, _edge, _shape, _type, _weights, _node, _header, _name, _output),
)


def _outside(rng: Rng, files: Files, named: str) -> Files:
    """Weights that lie somewhere else, or at another place of their file."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(files[named])
    except DecodeError:
        return files
    for tensor in model.graph.initializer:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
        del tensor.external_data[:]
        facts = {"location": _pick(rng, _PLACES)}
        facts |= {key: str(_pick(rng, _NUMBERS)) for key in ("offset", "length")}
        for key in facts if rng.random() < 0.7 else list(facts)[: int(rng.integers(3))]:
            tensor.external_data.add(key=key, value=facts[key])
    return {"suspect.bin": bytes(192), **files, named: model.SerializeToString()}


_WAYS: dict[str, Callable[[Rng, Files, str], Files]] = {
    "bytes": _bytes,
    "words": _words,
    "numbers": _numbers,
    "tags": _tags,
    "entities": _entities,
    "structure": _structure,
    "outside": _outside,
}


def _bomb(lines: str, shape: str = "N,3") -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 20]>net (float[N,1,4,4] images) => (float[{shape}] logits) {{ {lines} }}'
    )
    model.graph.initializer.append(numpy_helper.from_array(np.ones((16, 3), np.float32), "w"))
    return model


_ENDS = "flat = Flatten (images) scores = MatMul (flat, w)"


def _memory(rng: Rng) -> onnx.ModelProto:
    """A tensor of a size that shows when the network runs."""
    return _bomb(
        f"""{_ENDS} sum = ReduceSum <keepdims = 0> (images)
        unit = Constant <value_float = {10.0 ** rng.integers(5, 12)}> () many = Mul (sum, unit)
        count = Cast <to = 7> (many) one = Constant <value_ints = [1]> () size = Reshape (count, one)
        filled = ConstantOfShape (size) total = ReduceSum <keepdims = 0> (filled) logits = Add (scores, total)"""
    )


def _folding(rng: Rng) -> onnx.ModelProto:
    """Constants that grow while the runtime folds them, before there is any input."""
    side = int(2 ** rng.integers(10, 20))
    doubled = " ".join(f"c{i + 1} = Concat <axis = 0> (c{i}, c{i})" for i in range(int(rng.integers(1, 14))))
    last = doubled.count("Concat")
    return _bomb(
        f"""{_ENDS} size = Constant <value_ints = [{side}, 64]> () c0 = ConstantOfShape (size) {doubled}
        total = ReduceSum <keepdims = 0> (c{last}) logits = Add (scores, total)"""
    )


def _time(rng: Rng) -> onnx.ModelProto:
    """Products of large matrices, one after the other."""
    side, steps = int(2 ** rng.integers(8, 13)), int(rng.integers(10, 2000))
    products = " ".join(f"x{i + 1} = MatMul (x{i}, x0)" for i in range(steps))
    return _bomb(
        f"""{_ENDS} sum = ReduceSum <keepdims = 0> (images) size = Constant <value_ints = [{side}, {side}]> ()
        zeros = ConstantOfShape (size) x0 = Add (zeros, sum) {products} total = ReduceSum <keepdims = 0> (x{steps})
        logits = Add (scores, total)"""
    )


def _answers(rng: Rng) -> onnx.ModelProto:
    """An answer of millions of classes to each image."""
    wide = int(2 ** rng.integers(10, 30))
    return _bomb(
        f"""{_ENDS} first = Constant <value_ints = [1, {wide}]> () zeros = ConstantOfShape (first)
        one = Constant <value_ints = [0]> () two = Constant <value_ints = [1]> () column = Slice (scores, one, two, two)
        logits = Add (column, zeros)""",
        "N,M",
    )


def _many(rng: Rng) -> onnx.ModelProto:
    """Thousands of outputs."""
    count = int(rng.integers(100, 5000))
    model = _bomb(f"{_ENDS} logits = Identity (scores) " + " ".join(f"o{i} = Identity (scores)" for i in range(count)))
    for index in range(count):
        model.graph.output.append(helper.make_tensor_value_info(f"o{index}", TensorProto.FLOAT, ["N", 3]))
    return model


def _batch(rng: Rng) -> onnx.ModelProto:
    """A batch or an image of a size that nobody has."""
    model = _bomb(f"{_ENDS} logits = Identity (scores)")
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[int(rng.integers(len(dims)))].dim_value = int(10 ** rng.integers(3, 18))
    return model


BOMBS: dict[str, Callable[[Rng], onnx.ModelProto]] = {
    "memory bomb": _memory,
    "folding bomb": _folding,
    "time bomb": _time,
    "output bomb": _answers,
    "many outputs": _many,
    "batch bomb": _batch,
}


def _pick(rng: Rng, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]


def _end(match: re.Match[str]) -> int:
    return match.end()
