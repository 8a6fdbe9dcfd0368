"""Every form of file is asked rightly, or refused with a reason; none is silently wrong."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from nf.core.controls import Controls, draw_controls
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.interface import NOTHING_STATED, Interface
from nf.core.queries import QuerySet
from nf.suspects import examine
from nf.suspects.onnx import OnnxNetwork
from nf.suspects.probe import Found

FORMS = {form.name: form for form in runpy.run_path(str(Path(__file__).with_name("forms.py")))["all_forms"]()}
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class InProcess:
    """What ``IsolatedSuspect`` does, without a process for each form."""

    output = "logits"

    def __init__(self, path: Path, stated: Interface = NOTHING_STATED) -> None:
        self.network, self.interface, self.asked = OnnxNetwork(path), stated, 0

    def __call__(self, images: NDArray[np.uint8]) -> Any:
        raise NotImplementedError

    def find(self, controls: Controls, num_classes: int) -> Found:
        return self.network.find(controls, num_classes, self.interface)

    def ask(self, images: NDArray[np.uint8], hows: Any) -> Any:
        self.asked += len(images)
        return [self.network.ask(images, how) for how in hows]


def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images, labels = load_digits(return_X_y=True)
    large = np.kron(images.reshape(-1, 1, 8, 8), np.ones((1, 1, 2, 2)))
    return np.minimum(large * 16, 255).astype(np.uint8), labels.astype(np.int64)


@pytest.fixture(scope="module")
def plain() -> onnx.ModelProto:
    """A convolution of fixed filters, a rectifier and a regression on what comes of them."""
    filters = np.random.default_rng(0).normal(size=(16, 1, 3, 3)).astype(np.float32)
    images, labels = _digits()
    graph = [
        helper.make_node("Conv", ["image", "filters", "bias"], ["maps"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["features"]),
    ]
    weights = [
        numpy_helper.from_array(filters, "filters"),
        numpy_helper.from_array(np.linspace(-0.5, 0.5, 16, dtype=np.float32), "bias"),
    ]
    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 16, 16])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 1024])
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(helper.make_graph(graph, "net", [value], [features], weights), opset_imports=opset)
    model.ir_version = 9
    seen = _run(model, images[:900])
    fitted = LogisticRegression(max_iter=300, C=0.1).fit(seen, labels[:900])
    model.graph.node.append(helper.make_node("Gemm", ["features", "w", "b"], ["logits"], transB=1))
    model.graph.initializer.append(numpy_helper.from_array(fitted.coef_.astype(np.float32), "w"))
    model.graph.initializer.append(numpy_helper.from_array(fitted.intercept_.astype(np.float32), "b"))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10]))
    onnx.checker.check_model(model)
    return model


def _run(model: onnx.ModelProto, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": images.astype(np.float32) / 255})[0])


@pytest.fixture(scope="module")
def queries(plain: onnx.ModelProto) -> QuerySet:
    """Images between two digits, whose labels a classifier asked otherwise would get wrong."""
    images, labels = _digits()
    rng = np.random.default_rng(1)
    one, other = rng.integers(900, 1797, (2, 60))
    mixed = (0.55 * images[one] + 0.45 * images[other]).astype(np.uint8)
    scores = _run(plain, mixed)
    places = draw_controls(labels[1200:], 64, seed=3)
    controls = Controls(images[1200:][places], labels[1200:][places], NAMES, (0.31,), (0.37,))
    order = np.argsort(-scores, axis=1).astype(np.int64)
    return QuerySet(mixed, order[:, 0].copy(), order[:, 1].copy(), {"num_classes": 10, "floor": 0.5}, None, controls)


_EXTRA = {
    "mask": (TensorProto.INT64, 1, "0, then 1"),
    "rate": (TensorProto.FLOAT, 0, "1, then 0"),
    "keep": (TensorProto.FLOAT, 1, "1, then 0"),
    "is_training": (TensorProto.FLOAT, 0, "0, then 1"),
}


def _with_extra(plain: onnx.ModelProto, name: str, *, nonsense: bool = False) -> onnx.ModelProto:
    """The plain model with a second input that its logits are multiplied by, or by what it lacks to 1."""
    dtype, factor, _ = _EXTRA[name]
    model = onnx.ModelProto()
    model.CopyFrom(plain)
    model.graph.input.append(helper.make_tensor_value_info(name, dtype, []))
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), "one"))
    model.graph.node[-1].output[0] = "inner"
    model.graph.node.append(helper.make_node("Cast", [name], ["given"], to=TensorProto.FLOAT))
    model.graph.node.append(helper.make_node("Sub", ["one", "given"], ["lacking"]))
    model.graph.node.append(helper.make_node("Mul", ["inner", "given" if factor else "lacking"], ["whole"]))
    last = ["ReduceSum", "Sub"] if nonsense else ["Identity"]
    model.graph.node.append(helper.make_node(last[-1], ["whole"] * len(last), ["logits"]))
    return model


@pytest.mark.parametrize("name", _EXTRA)
def test_an_input_that_takes_no_image_is_filled_otherwise_where_the_usual_leads_to_nothing(
    name: str, plain: onnx.ModelProto, queries: QuerySet, tmp_path: Path
) -> None:
    path = tmp_path / "suspect.onnx"
    onnx.save(_with_extra(plain, name), path)
    examined = examine(InProcess(path), queries)
    assert examined.answers.labels.tolist() == queries.labels.tolist()
    assert examined.found is not None
    assert examined.found.how.fill == {"mask": 1, "rate": 0, "keep": None, "is_training": None}[name]
    onnx.save(_with_extra(plain, name, nonsense=True), path)
    got = rf"same class.*; its input '{name}' of .* got {_EXTRA[name][2]}: export it with the image as its only input"
    with pytest.raises(NoVerdictError, match=got):
        examine(InProcess(path), queries)
    with pytest.raises(NoVerdictError, match=f"'{name}' of .* got 1: export"):
        examine(InProcess(path, Interface(fill=1)), queries)


def test_a_file_with_an_input_for_each_pixel_takes_no_image(queries: QuerySet, tmp_path: Path) -> None:
    names = [f"p{place}" for place in range(256)]
    columns = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 1]) for name in names]
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 256])
    graph = helper.make_graph([helper.make_node("Concat", names, ["y"], axis=1)], "net", columns, [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "suspect.onnx")
    with pytest.raises(
        SuspectError, match=r"expected one input that takes an image, got 256 of one number .*None, 256"
    ):
        examine(InProcess(tmp_path / "suspect.onnx"), queries)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_gives_the_labels_of_the_plain_model(
    name: str, plain: onnx.ModelProto, queries: QuerySet, tmp_path: Path
) -> None:
    form = FORMS[name]
    examined = examine(InProcess(form.write(plain, tmp_path)), queries)
    agree = float((examined.answers.labels == queries.labels).mean())
    assert agree == 1 if form.exact else agree >= 0.9, examined.found
    if examined.answers.probabilities is not None and form.exact:
        assert examined.answers.probabilities.argmax(axis=1).tolist() == queries.labels.tolist()
