import numpy as np
import onnx
import pytest

from nf.core.errors import UnknownNameError
from nf.core.lineage import COMPRESSION_NAMES
from nf.models.onnx.compress import COMPRESSIONS, compress
from nf.models.onnx.export import OnnxExporter
from nf.suspects import OnnxSuspect


@pytest.fixture(scope="module")
def original(victims, tmp_path_factory):
    """A trained ResNet18 as a file."""
    path = tmp_path_factory.mktemp("onnx") / "source.onnx"
    OnnxExporter().export(victims["source"], "resnet18", (1, 16, 16), path)
    return path


@pytest.fixture(scope="module")
def copies(original, splits):
    made = {}
    for form in COMPRESSIONS:
        made[form] = original.parent / f"{form}.onnx"
        compress(original, made[form], form, splits["finetune"].images)
    return made


def test_the_zoo_names_these_forms():
    assert tuple(COMPRESSIONS) == COMPRESSION_NAMES


def test_weights_are_of_the_stated_type(copies):
    """Every convolution reads its weights as what the form says; biases of int8 ones are int32."""
    types = {}
    for form, path in copies.items():
        graph = onnx.load(path).graph
        types[form] = {
            onnx.TensorProto.DataType.Name(tensor.data_type) for tensor in graph.initializer if len(tensor.dims) == 4
        }
    assert types["fp16"] == {"FLOAT16"}
    assert "INT8" in types["int8"]
    assert "FLOAT" not in {
        onnx.TensorProto.DataType.Name(t.data_type)
        for t in onnx.load(copies["int8"]).graph.initializer
        if len(t.dims) == 4 and t.dims[-1] == 3
    }


def test_copies_answer_nearly_like_the_original_for_any_number_of_images(copies, original, splits):
    images = splits["test"].images
    expected = OnnxSuspect(original)(images)
    halves = OnnxSuspect(copies["fp16"])(images)
    assert 0 < np.abs(halves - expected).max() < 0.1
    assert (halves.argmax(1) == expected.argmax(1)).mean() > 0.99
    integers = OnnxSuspect(copies["int8"])(images)
    assert np.abs(integers - expected).max() > np.abs(halves - expected).max()
    assert (integers.argmax(1) == expected.argmax(1)).mean() > 0.95
    assert OnnxSuspect(copies["int8"])(images[:1]).shape == (1, 10)


def test_equal_files_give_equal_copies_without_a_word(copies, original, splits, tmp_path, caplog):
    for form, path in copies.items():
        compress(original, tmp_path / "again.onnx", form, splits["finetune"].images)
        assert (tmp_path / "again.onnx").read_bytes() == path.read_bytes()
    assert caplog.records == []


def test_unknown_form(original, splits, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown compression 'int3': expected one of fp16, int8"):
        compress(original, tmp_path / "x.onnx", "int3", splits["finetune"].images)
    assert not (tmp_path / "x.onnx").exists()
