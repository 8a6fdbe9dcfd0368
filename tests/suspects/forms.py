"""Forms of ONNX file around one real classifier, with the signatures that usual exporters write.

Each takes the plain model, (N, 1, H, W) float32 in [0, 1] to logits, and puts operators before and behind it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Graph = onnx.ModelProto

_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int64": TensorProto.INT64,
}


@dataclass
class Form:
    """One form of file.

    Attributes:
        name: of the test.
        write: puts the model into a folder and returns the file.
        exact: whether its answers are those of the plain model; otherwise nearly, as sizes or precision are others.
    """

    name: str
    write: Callable[[Graph, Path], Path]
    exact: bool = True


def _copy(model: Graph) -> Graph:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _constant(model: Graph, name: str, value: object, dtype: str = "float32") -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), name))
    return name


class Surgery:
    """A copy of the model, whose input and output are moved outwards step by step."""

    def __init__(self, model: Graph) -> None:
        self.model = _copy(model)
        graph = self.model.graph
        self.inner, self.shape, self.dtype = graph.input[0].name, ["N", *self._sizes()], "float32"
        self.output, self.count = graph.output[0].name, 0
        self.outputs: list[onnx.ValueInfoProto] = []
        self.before: list[onnx.NodeProto] = []

    def _sizes(self) -> list[int]:
        return [d.dim_value for d in self.model.graph.input[0].type.tensor_type.shape.dim[1:]]

    def fresh(self) -> str:
        self.count += 1
        return f"form_{self.count}"

    def into(
        self,
        operator: str,
        *more: str,
        shape: list[object] | None = None,
        dtype: str | None = None,
        **attributes: object,
    ) -> "Surgery":
        """What the input so far took is the output of ``operator`` on a new input."""
        outer = self.fresh()
        self.before.insert(0, helper.make_node(operator, [outer, *more], [self.inner], **attributes))
        self.inner, self.shape, self.dtype = outer, shape or self.shape, dtype or self.dtype
        return self

    def scaled(self, low: float, high: float, mean: object = 0.0, std: object = 1.0) -> "Surgery":
        """Takes pixels in [low, high], normalised."""
        self.into("Div", _constant(self.model, self.fresh(), high - low))
        self.into("Sub", _constant(self.model, self.fresh(), low))
        self.into("Add", _constant(self.model, self.fresh(), mean))
        return self.into("Mul", _constant(self.model, self.fresh(), std))

    def typed(self, dtype: str) -> "Surgery":
        return self.into("Cast", dtype=dtype, to=TensorProto.FLOAT)

    def coloured(self, mean: list[float], std: list[float], weights: list[float]) -> "Surgery":
        """Takes normalised colours, of which the model sees a weighted sum."""
        _, _, height, width = self.shape
        self.into(
            "ReduceSum", _constant(self.model, self.fresh(), [1], "int64"), shape=["N", 3, height, width], keepdims=1
        )
        for operator, value in (("Mul", weights), ("Add", mean), ("Mul", std)):
            self.into(operator, _constant(self.model, self.fresh(), np.reshape(value, (1, 3, 1, 1))))
        return self

    def last_channels(self) -> "Surgery":
        batch, channels, height, width = self.shape
        return self.into("Transpose", shape=[batch, height, width, channels], perm=[0, 3, 1, 2])

    def reshaped(self, shape: list[object]) -> "Surgery":
        inner = [-1, *self.shape[1:]]
        return self.into("Reshape", _constant(self.model, self.fresh(), inner, "int64"), shape=shape)

    def out(self, operator: str, *more: str, domain: str = "", **attributes: object) -> "Surgery":
        """The output becomes that of ``operator`` on it."""
        outer = self.fresh()
        self.model.graph.node.append(
            helper.make_node(operator, [self.output, *more], [outer], domain=domain, **attributes)
        )
        self.output = outer
        return self

    def also(
        self, operator: str, kind: int, shape: list[object] | None, *more: str, domain: str = "", **attributes: object
    ) -> str:
        """A further output beside the one so far."""
        name = self.fresh()
        self.model.graph.node.append(
            helper.make_node(operator, [self.output, *more], [name], domain=domain, **attributes)
        )
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def done(self, kind: int = TensorProto.FLOAT, shape: list[object] | None = None, *, keep: bool = True) -> Graph:
        graph = self.model.graph
        nodes = [*self.before, *graph.node]
        del graph.node[:], graph.input[:], graph.output[:]
        graph.node.extend(nodes)
        graph.input.append(helper.make_tensor_value_info(self.inner, _TYPES[self.dtype], self.shape))
        own = [helper.make_tensor_value_info(self.output, kind, shape or ["N", 10])] if keep else []
        graph.output.extend([*own, *self.outputs])
        return self.model


def _plain(make: Callable[[Surgery], Graph]) -> Callable[[Graph, Path], Path]:
    def write(model: Graph, folder: Path) -> Path:
        path = folder / "suspect.onnx"
        path.write_bytes(make(Surgery(model)).SerializeToString())
        return path

    return write


IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
LUMA = [0.299, 0.587, 0.114]
SCALES: dict[str, tuple[float, float, float, float]] = {
    "unit": (0, 1, 0, 1),
    "bytes": (0, 255, 0, 1),
    "signed": (-1, 1, 0, 1),
    "inverted": (1, 0, 0, 1),
    "imagenet": (0, 1, 0.449, 0.226),
    "mnist": (0, 1, 0.1307, 0.3081),
    "centred": (-0.5, 0.5, 0, 1),
}
LAYOUTS: dict[str, Callable[[Surgery], Surgery]] = {
    "nchw": lambda s: s,
    "nhwc": lambda s: s.last_channels(),
    "flat": lambda s: s.reshaped(["N", 256]),
    "nhw": lambda s: s.reshaped(["N", 16, 16]),
    "chw": lambda s: s.reshaped([1, 16, 16]),
    "hwc": lambda s: s.last_channels().reshaped([16, 16, 1]),
    "hw": lambda s: s.reshaped([16, 16]),
    "vector": lambda s: s.reshaped([256]),
    "batch 1": lambda s: s.reshaped([1, 1, 16, 16]),
    "open": lambda s: s.reshaped(["N", "C", "H", "W"]),
}


def _label(kind: str) -> Callable[[Surgery], Graph]:
    def make(s: Surgery) -> Graph:
        s.out("ArgMax", axis=1, keepdims=1 if kind == "column" else 0)
        if kind == "float":
            s.out("Cast", to=TensorProto.FLOAT)
            return s.done(shape=["N"])
        if kind == "from 1":
            s.out("Add", _constant(s.model, s.fresh(), 1, "int64"))
        if kind == "int32":
            s.out("Cast", to=TensorProto.INT32)
            return s.done(TensorProto.INT32, ["N"])
        return s.done(TensorProto.INT64, ["N", 1] if kind == "column" else ["N"])

    return make


def _sklearn(zipmap: bool, strings: bool) -> Callable[[Surgery], Graph]:
    """Label and probabilities, as skl2onnx writes a classifier on flat images."""

    def make(s: Surgery) -> Graph:
        s.reshaped(["N", 256])
        s.out("Softmax", axis=1)
        s.model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
        number = s.fresh()
        s.model.graph.node.append(helper.make_node("ArgMax", [s.output], [number], axis=1, keepdims=0))
        if strings:
            label = s.fresh()
            names = {"keys_int64s": list(range(10)), "values_strings": NAMES}
            s.model.graph.node.append(helper.make_node("LabelEncoder", [number], [label], domain="ai.onnx.ml", **names))
            s.outputs.append(helper.make_tensor_value_info(label, TensorProto.STRING, ["N"]))
        else:
            s.outputs.append(helper.make_tensor_value_info(number, TensorProto.INT64, ["N"]))
        if not zipmap:
            s.outputs.append(helper.make_tensor_value_info(s.output, TensorProto.FLOAT, ["N", 10]))
            return s.done(keep=False)
        maps = s.fresh()
        keys = {"classlabels_strings": NAMES} if strings else {"classlabels_int64s": list(range(10))}
        s.model.graph.node.append(helper.make_node("ZipMap", [s.output], [maps], domain="ai.onnx.ml", **keys))
        key = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        kind = helper.make_map_type_proto(TensorProto.STRING if strings else TensorProto.INT64, key)
        s.outputs.append(helper.make_value_info(maps, helper.make_sequence_type_proto(kind)))
        return s.done(keep=False)

    return make


NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PERMUTATION = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]


def _permuted(s: Surgery) -> Graph:
    s.out("Gather", _constant(s.model, s.fresh(), PERMUTATION, "int64"), axis=1)
    return s.done()


def _background(first: bool) -> Callable[[Surgery], Graph]:
    def make(s: Surgery) -> Graph:
        pads = [0, 1, 0, 0] if first else [0, 0, 0, 1]
        s.out("Pad", _constant(s.model, s.fresh(), pads, "int64"), _constant(s.model, s.fresh(), -1e4))
        return s.done(shape=["N", 11])

    return make


def _among_others(s: Surgery) -> Graph:
    """A head of 1,000 classes, of which the owner's stand anywhere."""
    s.out("Pad", _constant(s.model, s.fresh(), [0, 0, 0, 990], "int64"), _constant(s.model, s.fresh(), -1e4))
    order = np.random.default_rng(0).permutation(1000)
    return s.out("Gather", _constant(s.model, s.fresh(), order, "int64"), axis=1).done(shape=["N", 1000])


def _topk(kind: int) -> Callable[[Surgery], Graph]:
    """The five best scores, and their classes as numbers of a ``kind``."""

    def make(s: Surgery) -> Graph:
        values, found, places = s.fresh(), s.fresh(), s.fresh()
        five = _constant(s.model, s.fresh(), [5], "int64")
        s.model.graph.node.append(helper.make_node("TopK", [s.output, five], [values, found], axis=1))
        s.model.graph.node.append(helper.make_node("Cast", [found], [places], to=kind))
        s.outputs = [
            helper.make_tensor_value_info(values, TensorProto.FLOAT, ["N", 5]),
            helper.make_tensor_value_info(places, kind, ["N", 5]),
        ]
        return s.done(keep=False)

    return make


def _axes(shape: list[object], *axes: int, kind: int = TensorProto.FLOAT) -> Callable[[Surgery], Graph]:
    """Further dimensions of size 1."""

    def make(s: Surgery) -> Graph:
        return s.out("Unsqueeze", _constant(s.model, "axes", axes, "int64")).done(kind, shape)

    return make


def _features(s: Surgery) -> Graph:
    """A model with a second, larger output, first in the list."""
    wide = _constant(s.model, s.fresh(), np.random.default_rng(0).normal(size=(10, 64)))
    s.also("MatMul", TensorProto.FLOAT, ["N", 64], wide)
    graph = s.done()
    graph.graph.output.insert(0, graph.graph.output.pop())
    return graph


def _branch(s: Surgery) -> Graph:
    """What older exporters write for a squeeze that might not apply."""
    condition = s.fresh()
    s.model.graph.initializer.append(numpy_helper.from_array(np.array(True), condition))
    branches = []
    for name in ("then", "else"):
        node = helper.make_node("Identity", [s.output], [f"{name}_out"])
        value = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)
        branches.append(helper.make_graph([node], name, [], [value]))
    outer = s.fresh()
    s.model.graph.node.append(
        helper.make_node("If", [condition], [outer], then_branch=branches[0], else_branch=branches[1])
    )
    s.output = outer
    return s.done()


def _switch(s: Surgery) -> Graph:
    """A second input that says whether this is training."""
    graph = s.done()
    graph.graph.input.append(helper.make_tensor_value_info("training", TensorProto.BOOL, []))
    return graph


def _half(s: Surgery) -> Graph:
    s.out("Cast", to=TensorProto.FLOAT16)
    return s.done(TensorProto.FLOAT16)


def _resized(side: int) -> Callable[[Surgery], Graph]:
    def make(s: Surgery) -> Graph:
        sizes = _constant(s.model, s.fresh(), [1, 1, 16 / side, 16 / side])
        return s.into("Resize", "", sizes, shape=["N", 1, side, side], mode="linear").done()

    return make


def _coloured(
    mean: list[float], std: list[float], weights: list[float], *, last: bool = False
) -> Callable[[Surgery], Graph]:
    def make(s: Surgery) -> Graph:
        s.coloured(mean, std, weights)
        return (s.last_channels() if last else s).done()

    return make


def _external(model: Graph, folder: Path) -> Path:
    path = folder / "suspect.onnx"
    onnx.save_model(_copy(model), path, save_as_external_data=True, location="suspect.onnx.data", size_threshold=0)
    return path


def _optimised(model: Graph, folder: Path) -> Path:
    """Saved by onnxruntime with the operators of its own layout."""
    import onnxruntime

    (folder / "plain.onnx").write_bytes(model.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(folder / "suspect.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(folder / "plain.onnx", options, providers=["CPUExecutionProvider"])
    return folder / "suspect.onnx"


def _integers(dtype: str, low: int, layout: str) -> Callable[[Surgery], Graph]:
    def make(s: Surgery) -> Graph:
        s.scaled(low, low + 255).typed(dtype)
        return LAYOUTS[layout](s).done()

    return make


def all_forms() -> Iterator[Form]:
    """All forms, by kind."""
    for scale, numbers in SCALES.items():
        for layout, change in LAYOUTS.items():
            if layout in ("nchw", "nhwc", "flat") or scale in ("unit", "signed"):
                yield Form(
                    f"{layout}, {scale}",
                    _plain(lambda s, c=change, n=numbers: c(s.scaled(n[0], n[1], n[2], n[3])).done()),
                )
    for dtype, low in (("uint8", 0), ("int8", -128), ("int64", 0)):
        for layout in ("nchw", "nhwc", "flat", "hw"):
            yield Form(f"{layout}, {dtype}", _plain(_integers(dtype, low, layout)))
    for dtype in ("float16", "float64"):
        for layout in ("nchw", "nhwc"):
            yield Form(
                f"{layout}, {dtype}", _plain(lambda s, d=dtype, c=LAYOUTS[layout]: c(s.typed(d)).done()), exact=False
            )
    for name, weights in (("rgb", LUMA), ("bgr", LUMA[::-1])):
        for scaling, (mean, std) in (("unit", ([0.0] * 3, [1.0] * 3)), ("imagenet", IMAGENET)):
            yield Form(f"{name}, {scaling}", _plain(_coloured(mean, std, weights)), exact=False)
            yield Form(f"{name}, {scaling}, nhwc", _plain(_coloured(mean, std, weights, last=True)), exact=False)
    for side in (28, 32, 64, 224):
        yield Form(f"size {side}", _plain(_resized(side)), exact=False)
    for kind in ("plain", "column", "float", "from 1", "int32"):
        yield Form(f"labels, {kind}", _plain(_label(kind)))
    for zipmap in (True, False):
        for strings in (True, False):
            what = f"label and {'maps' if zipmap else 'scores'}{' by name' if strings else ''}"
            yield Form(what, _plain(_sklearn(zipmap, strings)))
    yield Form("permuted classes", _plain(_permuted))
    yield Form("background first", _plain(_background(True)))
    yield Form("ten of a thousand classes", _plain(_among_others))
    yield Form("others behind", _plain(_background(False)))
    for dtype in ("int64", "float32"):
        yield Form(f"top 5, {dtype}", _plain(_topk(_TYPES[dtype])))
    yield Form("features first", _plain(_features))
    yield Form("if", _plain(_branch))
    yield Form("a switch", _plain(_switch))
    yield Form("half scores", _plain(_half), exact=False)
    yield Form("probabilities", _plain(lambda s: s.out("Softmax", axis=1).done()))
    yield Form("distances", _plain(lambda s: s.out("Neg").done()))
    yield Form("log probabilities", _plain(lambda s: s.out("LogSoftmax", axis=1).done()))
    yield Form("(N, C, 1, 1)", _plain(_axes(["N", 10, 1, 1], 2, 3)))
    yield Form("(N, 1, C)", _plain(_axes(["N", 1, 10], 1)))
    yield Form("(1, N, C)", _plain(_axes([1, "N", 10], 0)))
    yield Form(
        "(1, N)", _plain(lambda s: _axes([1, "N"], 0, kind=TensorProto.INT64)(s.out("ArgMax", axis=1, keepdims=0)))
    )
    yield Form("weights beside", _external)
    yield Form("onnxruntime's own optimisation", _optimised)
