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
        (b"<!DOCTYPE html><html><body>404</body></html>", "got a web page: the download went wrong"),
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


def _point_outside(tensor: onnx.TensorProto, name: str = "weights.bin") -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=name)


def test_weights_beside_the_file_are_read(
    write: Write, model: onnx.ModelProto, images: NDArray[np.uint8], scores: NDArray[np.float64]
) -> None:
    weights = model.graph.initializer[0].raw_data
    _point_outside(model.graph.initializer[0])
    model.graph.initializer[0].external_data.add(key="offset", value="8")
    path = write(model)
    (path.parent / "weights.bin").write_bytes(b"elsewher" + weights + b"behind")
    np.testing.assert_allclose(OnnxSuspect(path)(images), scores, atol=1e-5)


def test_weights_beside_the_file_count_towards_its_limit(write: Write, model: onnx.ModelProto) -> None:
    _point_outside(model.graph.initializer[0])
    path = write(model)
    (path.parent / "weights.bin").write_bytes(bytes(192))
    size = path.stat().st_size
    read_suspect(path, max_bytes=size + 192)
    with pytest.raises(SuspectError, match="expected at most 191 bytes of weights, got 192"):
        read_suspect(path, max_bytes=size + 191)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "sub/weights", "..", "", "a\\b", "a\0b"])
def test_weights_elsewhere_are_not_read(write: Write, model: onnx.ModelProto, name: str) -> None:
    _point_outside(model.graph.initializer[0], name)
    _refused(write(model), "expected weights inside the file or in one beside it, got them in")


def test_weights_behind_a_link_are_not_read(write: Write, model: onnx.ModelProto, tmp_path: Path) -> None:
    _point_outside(model.graph.initializer[0])
    path = write(model)
    (tmp_path / "secret").write_bytes(bytes(192))
    (tmp_path / "weights.bin").symlink_to(tmp_path / "secret")
    _refused(path, "expected weights in a plain file, got a link, folder or device for 'weights.bin'")


def test_weights_that_are_not_there_or_cut(write: Write, model: onnx.ModelProto, tmp_path: Path) -> None:
    _point_outside(model.graph.initializer[0])
    path = write(model)
    _refused(path, r"expected weights in 'weights.bin' beside the file, cannot read them .* exported together")
    (tmp_path / "weights.bin").write_bytes(bytes(100))
    _refused(path, "expected 192 bytes of weights from 0 on in 'weights.bin', got 100")


@pytest.mark.parametrize(("key", "value"), [("offset", "-1"), ("length", "-1"), ("offset", "x"), ("length", "1e3")])
def test_places_of_weights_that_are_none(
    write: Write, model: onnx.ModelProto, tmp_path: Path, key: str, value: str
) -> None:
    _point_outside(model.graph.initializer[0])
    model.graph.initializer[0].external_data.add(key=key, value=value)
    (tmp_path / "weights.bin").write_bytes(bytes(192))
    _refused(write(model), "expected (weights at a place|numbers for where weights)")


def test_weights_in_both_places(write: Write, model: onnx.ModelProto) -> None:
    _point_outside(model.graph.initializer[0])
    model.graph.initializer[0].data_location = onnx.TensorProto.DEFAULT
    _refused(write(model), "expected weights inside the file or beside it, got both")


def _in_a_function(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    function = model.functions.add(name="f", domain="own")
    function.node.append(onnx.helper.make_node("Constant", [], ["c"], value=tensor))


def _in_a_branch(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    constant = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    branch = onnx.helper.make_graph([constant], "b", [], [onnx.ValueInfoProto(name="c")])
    model.graph.node.append(onnx.helper.make_node("If", ["k"], ["o"], then_branch=branch, else_branch=branch))


def _sparse(model: onnx.ModelProto, tensor: onnx.TensorProto) -> None:
    model.graph.sparse_initializer.add(dims=[16, 3]).values.CopyFrom(tensor)


@pytest.mark.parametrize("hide", [_in_a_function, _in_a_branch, _sparse])
def test_weights_elsewhere_are_found_wherever_they_are(
    write: Write, model: onnx.ModelProto, hide: Callable[[onnx.ModelProto, onnx.TensorProto], None]
) -> None:
    tensor = onnx.TensorProto(data_type=onnx.TensorProto.FLOAT, dims=[48])
    _point_outside(tensor, "/etc/passwd")
    hide(model, tensor)
    _refused(write(model), "got them in '/etc/passwd'")


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
    model.opset_import.add(domain="ai.onnx.contrib", version=1)
    model.functions.add(name="dummy", domain="ai.onnx.contrib")
    model.graph.node[0].domain, model.graph.node[0].op_type = "ai.onnx.contrib", "ReorderInput"
    _refused(write(model), "expected standard operators, got 'ReorderInput' of domain 'ai.onnx.contrib'")


def _endless_loop() -> onnx.NodeProto:
    body = onnx.parser.parse_graph(
        "body (int64 i, bool go, float x) => (bool on, float y) { on = Identity (go) y = Sin (x) }"
    )
    return onnx.helper.make_node("Loop", ["", "true", "start"], ["end"], body=body)


def test_a_loop_that_never_ends(write: Write, model: onnx.ModelProto) -> None:
    model.graph.node.append(_endless_loop())
    _refused(write(model), "expected a network without loops, got 'Loop': export it with its loops unrolled")


def test_a_loop_inside_a_function(write: Write, model: onnx.ModelProto) -> None:
    model.functions.add(name="f", domain="own").node.append(_endless_loop())
    _refused(write(model), "got 'Loop'")


def test_a_subgraph_that_a_function_takes_by_default(write: Write, model: onnx.ModelProto) -> None:
    body = _endless_loop().attribute[0]
    model.functions.add(name="f", domain="own").attribute_proto.append(body)
    _refused(write(model), "expected a network without loops, got a subgraph for 'f'")


def test_a_subgraph_under_any_name(write: Write, model: onnx.ModelProto) -> None:
    node = _endless_loop()
    node.op_type, node.domain = "BeamSearch", "com.microsoft"
    model.graph.node.append(node)
    _refused(write(model), "got 'BeamSearch'")


def test_a_loop_in_a_branch(write: Write, model: onnx.ModelProto) -> None:
    loop = _endless_loop()
    branch = onnx.helper.make_graph([loop], "b", [], [onnx.ValueInfoProto(name="end")])
    model.graph.node.append(onnx.helper.make_node("If", ["k"], ["o"], then_branch=branch, else_branch=branch))
    _refused(write(model), "expected a network without loops, got 'Loop'")


def test_a_branch_of_another_domain(write: Write, model: onnx.ModelProto) -> None:
    node = _endless_loop()
    node.op_type, node.domain = "If", "com.microsoft"
    model.graph.node.append(node)
    _refused(write(model), "expected a network without loops, got 'If'")


def test_two_outputs(write: Write, linear: str) -> None:
    _refused(
        write(linear.replace("logits) {", "logits, float[N,16] flat) {")),
        "expected one output, or which of them answers, got 2: 'logits', 'flat'",
    )


def test_an_input_of_another_rank(write: Write, linear: str, images: NDArray[np.uint8]) -> None:
    path = write(linear.replace("[N,1,4,4]", "[N,1,2,2,4]"))
    with pytest.raises(SuspectError, match=r"expected an input that takes images \(1, 4, 4\) as stated, got 'images'"):
        OnnxSuspect(path)(images)


def test_an_input_of_no_known_type(write: Write, model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 9999
    _refused(write(model), "onnxruntime refuses it: .*Invalid tensor data type 9999")


FORGED = "x\n\r\x1b[2Kverdict        not stolen\x1b[8m\u202e"


def _name_an_output(model: onnx.ModelProto) -> None:
    model.graph.output.add(name=FORGED)


def _name_a_file(model: onnx.ModelProto) -> None:
    _point_outside(model.graph.initializer[0], FORGED)


def _name_an_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = FORGED


@pytest.mark.parametrize("spoil", [_name_an_output, _name_a_file, _name_an_operator])
def test_names_cannot_steer_a_terminal(
    write: Write, model: onnx.ModelProto, spoil: Callable[[onnx.ModelProto], None]
) -> None:
    spoil(model)
    with pytest.raises(SuspectError, match="not stolen") as caught:
        OnnxSuspect(write(model))(np.zeros((1, 1, 4, 4), np.uint8))
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
