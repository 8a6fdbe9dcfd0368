"""Files that are no classifier, or would rather do something else."""

import os
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from nf.core.errors import SuspectError
from nf.verification import OnnxSuspect
from nf.verification.inspection import read_suspect

Write = Callable[[str | onnx.ModelProto], Path]


def _refused(path: Path, reason: str) -> None:
    with pytest.raises(SuspectError, match=reason) as caught:
        OnnxSuspect(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    _refused(tmp_path / "nothing.onnx", "expected an ONNX file, found nothing")


def test_a_folder_and_a_pipe(tmp_path: Path) -> None:
    _refused(tmp_path, "got a folder or device")
    os.mkfifo(tmp_path / "pipe")
    _refused(tmp_path / "pipe", "got a folder or device")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "got an empty one"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "got something else"),
        (bytes(range(256)) * 8, "got something else"),
        (onnx.ModelProto(ir_version=10).SerializeToString(), "got one without a graph"),
    ],
    ids=["empty", "html", "junk", "no graph"],
)
def test_other_files(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "suspect.onnx"
    path.write_bytes(content)
    _refused(path, reason)


def test_every_truncation_is_refused(write: Write, linear: str) -> None:
    path = write(linear)
    whole = path.read_bytes()
    for size in range(1, len(whole), 7):
        path.write_bytes(whole[:size])
        _refused(path, "expected")


def test_a_file_over_the_limit(write: Write, linear: str) -> None:
    path = write(linear)
    size = path.stat().st_size
    read_suspect(path, max_bytes=size)
    with pytest.raises(SuspectError, match=f"expected at most {size - 1} bytes, got {size}"):
        read_suspect(path, max_bytes=size - 1)


def _point_outside(tensor: onnx.TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.txt")


def test_external_data_of_a_weight(write: Write, model: onnx.ModelProto) -> None:
    _point_outside(model.graph.initializer[0])
    path = write(model)
    (path.parent / "secret.txt").write_bytes(b"T" * 192)
    _refused(path, "expected all weights inside the file, got external data")


def test_external_data_without_its_flag(write: Write, model: onnx.ModelProto) -> None:
    _point_outside(model.graph.initializer[0])
    model.graph.initializer[0].data_location = onnx.TensorProto.DEFAULT
    _refused(write(model), "got external data")


def test_external_data_of_a_constant_in_a_function(write: Write, model: onnx.ModelProto) -> None:
    function = model.functions.add(name="f", domain="own")
    tensor = onnx.TensorProto(data_type=onnx.TensorProto.FLOAT, dims=[48])
    _point_outside(tensor)
    function.node.append(onnx.helper.make_node("Constant", [], ["c"], value=tensor))
    _refused(write(model), "got external data")


def test_external_data_of_a_sparse_weight(write: Write, model: onnx.ModelProto) -> None:
    _point_outside(model.graph.sparse_initializer.add(dims=[16, 3]).values)
    _refused(write(model), "got external data")


def test_operators_of_a_foreign_domain(write: Write, model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "ai.onnx.contrib"
    _refused(write(model), "expected standard operators, got 'Flatten' of domain 'ai.onnx.contrib'")


def test_functions_of_the_file_itself_are_no_foreign_domain(write: Write, model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="own", version=1)
    flatten = onnx.helper.make_node("Flatten", ["x"], ["y"])
    opset = [onnx.helper.make_opsetid("", 20)]
    model.functions.append(onnx.helper.make_function("own", "Mine", ["x"], ["y"], [flatten], opset))
    model.graph.node[0].domain, model.graph.node[0].op_type = "own", "Mine"
    assert OnnxSuspect(write(model)).num_classes == 3


def _endless_loop() -> onnx.NodeProto:
    body = onnx.parser.parse_graph(
        "body (int64 i, bool go, float x) => (bool on, float y) { on = Identity (go) y = Sin (x) }"
    )
    return onnx.helper.make_node("Loop", ["", "true", "start"], ["end"], body=body)


def test_a_loop_that_never_ends(write: Write, model: onnx.ModelProto) -> None:
    model.graph.node.append(_endless_loop())
    _refused(write(model), "expected a network without control flow, got 'Loop'")


def test_a_loop_inside_a_function(write: Write, model: onnx.ModelProto) -> None:
    model.functions.add(name="f", domain="own").node.append(_endless_loop())
    _refused(write(model), "got 'Loop'")


def test_a_subgraph_under_any_name(write: Write, model: onnx.ModelProto) -> None:
    node = _endless_loop()
    node.op_type, node.domain = "BeamSearch", "com.microsoft"
    model.graph.node.append(node)
    _refused(write(model), "got 'BeamSearch'")


def test_two_inputs(write: Write, linear: str) -> None:
    _refused(
        write(linear.replace("images) =>", "images, float[N] key) =>")),
        "expected one input and one output, got 2 and 1",
    )


def test_two_outputs(write: Write, linear: str) -> None:
    _refused(write(linear.replace("logits) {", "logits, float[N,16] flat) {")), "got 1 and 2: images, logits, flat")


def test_an_input_of_another_rank(write: Write, linear: str) -> None:
    path = write(linear.replace("[N,1,4,4]", "[N,16]"))
    _refused(path, r"expected a float32 input of shape \(N, C, H, W\), got 'images' of float and 2 dimensions")


def test_an_input_of_another_type(write: Write, linear: str) -> None:
    _refused(write(linear.replace("float[N,1,4,4]", "float16[N,1,4,4]")), "got 'images' of float16 and 4 dimensions")


@pytest.mark.parametrize("operator", ["Nonsense", "PyOp"])
def test_an_operator_that_is_not_there(write: Write, linear: str, operator: str) -> None:
    _refused(
        write(linear.replace("Flatten", operator)), "expected a valid network, onnxruntime refuses it: .*" + operator
    )


def test_a_cycle(write: Write, linear: str) -> None:
    _refused(write(linear.replace("Flatten (images)", "Add (images, logits)")), "onnxruntime refuses it")


def test_an_opset_of_the_future(write: Write, model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 999
    _refused(write(model), "onnxruntime refuses it: .*opset 2[0-9]")
