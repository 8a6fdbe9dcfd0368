"""Files that are no classifier, or would rather do something else."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.suspects import OnnxSuspect
from nf.suspects.inspect_onnx import read_suspect

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


def test_a_file_that_passes_for_two_formats_runs_as_the_one_that_was_inspected(
    write: Write, linear: str, images: NDArray[np.uint8], scores: NDArray[np.float64]
) -> None:
    """The runtime's own format is known by its bytes 4 to 7; in an ONNX file they may stand in an unknown field."""
    path = write(linear)
    unknown = bytes([15 << 3 | 1]) + b"\x00\x00\x00ORTM\x00"  # the tag of a field of eight bytes, and these
    path.write_bytes(unknown + path.read_bytes())
    np.testing.assert_allclose(OnnxSuspect(path)(images), scores, atol=1e-5)


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


def test_a_function_vouches_for_no_other_operator_of_its_domain(write: Write, model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft.nchwc", version=1)
    model.functions.add(name="dummy", domain="com.microsoft.nchwc")
    model.graph.node[0].domain, model.graph.node[0].op_type = "com.microsoft.nchwc", "ReorderInput"
    _refused(write(model), "expected standard operators, got 'ReorderInput' of domain 'com.microsoft.nchwc'")


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


def test_a_subgraph_that_a_function_takes_by_default(write: Write, model: onnx.ModelProto) -> None:
    body = _endless_loop().attribute[0]
    model.functions.add(name="f", domain="own").attribute_proto.append(body)
    _refused(write(model), "expected a network without control flow, got a subgraph for 'f'")


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
    _refused(
        write(linear.replace("logits) {", "logits, float[N,16] flat) {")), "got 1 and 2: 'images', 'logits', 'flat'"
    )


def test_an_input_of_another_rank(write: Write, linear: str) -> None:
    path = write(linear.replace("[N,1,4,4]", "[N,16]"))
    _refused(path, r"expected a float32 input of shape \(N, C, H, W\), got 'images' of float and 2 dimensions")


def test_an_input_of_another_type(write: Write, linear: str) -> None:
    _refused(write(linear.replace("float[N,1,4,4]", "float16[N,1,4,4]")), "got 'images' of float16 and 4 dimensions")


def test_an_input_of_no_known_type(write: Write, model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 9999
    _refused(write(model), "got 'images' of type 9999 and 4 dimensions")


FORGED = "x\n\r\x1b[2Kverdict        not stolen\x1b[8m\u202e"


def _name_an_output(model: onnx.ModelProto) -> None:
    model.graph.output.add(name=FORGED)


def _name_the_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = FORGED
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE


def _name_an_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = FORGED


@pytest.mark.parametrize("spoil", [_name_an_output, _name_the_input, _name_an_operator])
def test_names_cannot_steer_a_terminal(
    write: Write, model: onnx.ModelProto, spoil: Callable[[onnx.ModelProto], None]
) -> None:
    spoil(model)
    with pytest.raises(SuspectError, match="not stolen") as caught:
        OnnxSuspect(write(model))
    assert str(caught.value).isprintable()


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
