"""Files of other formats are known by their first bytes and answered with what to do."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import save as save_safetensors

from nf.core.errors import SuspectError
from nf.suspects.formats import advice
from nf.suspects.inspect_onnx import read_suspect


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


def _torch(thing: object, **how: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, **how)
    return buffer.getvalue()


def _program() -> bytes:
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)), buffer)
    return buffer.getvalue()


_TEXT = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 17]> net (float[N,2] x) => (float[N,2] y) { y = Relu (x) }'
)


def _written(form: str) -> bytes:
    return bytes(onnx.serialization.registry.get(form).serialize_proto(_TEXT))


CASES = {
    **{
        f"onnx as {form}": (
            _written(form),
            rf"ONNX as text, not binary: `.*onnx\.load\('suspect\.bin', format='{form}'\), 'suspect\.onnx'\)",
        )
        for form in ("json", "textproto", "onnxtxt")
    },
    "pth": (_torch({"w": torch.zeros(2)}), "a checkpoint of PyTorch, weights without a network"),
    "old pth": (_torch({"w": torch.zeros(2)}, _use_new_zipfile_serialization=False), "a pickle, which is not opened"),
    "torchscript": (_zip("m/data.pkl", "m/constants.pkl", "m/code/x.py"), "a TorchScript program: .*torch.jit.load"),
    "safetensors": (save_safetensors({"w": np.zeros(2)}), "safetensors, weights without a network"),
    "pickle": (pickle.dumps({"a": 1}), "a pickle, which is not opened here: .*skl2onnx"),
    "tflite": (
        b"\x1c\0\0\0TFL3" + bytes(32),
        r"a TFLite model: `pip install .*\[tflite\]'`.*; or `python -m tf2onnx.convert --tflite suspect.bin",
    ),
    "ort": (b"\x1c\0\0\0ORTM" + bytes(32), "a model in onnxruntime's own format"),
    "keras": (_zip("metadata.json", "config.json", "model.weights.h5"), "a Keras model: .*load_model"),
    "h5": (b"\x89HDF\r\n\x1a\n" + bytes(32), "an HDF5 file, as Keras 2 writes: .*load_model"),
    "openvino": (
        b'<?xml version="1.0"?>\n<net name="m" version="11">',
        r"an OpenVINO model: `pip install .*\[openvino\]'`",
    ),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "a pointer of Git LFS .*git lfs pull",
    ),
    "html": (b"\n<HTML><body>sign in</body>", "a web page"),
    "zip of onnx": (_zip("model.onnx"), "a ZIP archive: unpack it"),
    "cut zip": (_zip("model.onnx")[:30], "a damaged or cut ZIP archive"),
    "json": (json.dumps({"a": 1}).encode(), "something else"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_answered_with_what_to_do(name: str, tmp_path: Path) -> None:
    data, message = CASES[name]
    path = tmp_path / "suspect.bin"
    path.write_bytes(data)
    with pytest.raises(SuspectError, match=f"suspect.bin: expected an ONNX file, got {message}") as caught:
        read_suspect(path)
    assert "\n" not in str(caught.value)


def test_an_exported_program(tmp_path: Path) -> None:
    path = tmp_path / "suspect.pt2"
    path.write_bytes(_program())
    with pytest.raises(SuspectError, match=r"an exported program of PyTorch: .*torch\.export\.load\('suspect\.pt2'\)"):
        read_suspect(path)


def test_folders_of_models(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(SuspectError, match=r"a SavedModel of TensorFlow: .*--saved-model saved"):
        read_suspect(tmp_path / "saved")
    (tmp_path / "m.mlpackage").mkdir()
    with pytest.raises(SuspectError, match="a Core ML model"):
        read_suspect(tmp_path / "m.mlpackage")


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "touched",))  # type: ignore[return-value]

    path = tmp_path / "suspect.pkl"
    path.write_bytes(pickle.dumps(Harm()))
    with pytest.raises(SuspectError, match="a pickle"):
        read_suspect(path)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", ["shop-2.h5", "größe_1.h5"])
def test_a_command_names_the_file(name: str) -> None:
    assert f"load_model('{name}')" in str(advice(Path(name), CASES["h5"][0]))


@pytest.mark.parametrize("case", ["h5", "torchscript", "tflite"])
@pytest.mark.parametrize(
    "name",
    [
        "$(touch pwned).h5",
        "`id`.h5",
        "a'); import os; ('.h5",
        'a".h5',
        "-e.h5",
        "a b.h5",
        "a\n.h5",
        "a;id.h5",
        "a\\.h5",
    ],
)
def test_a_name_that_is_more_than_a_name_is_in_no_command(tmp_path: Path, case: str, name: str) -> None:
    """Whoever pastes the command would run it."""
    path = tmp_path / name
    path.write_bytes(CASES[case][0])
    told = str(advice(path, CASES[case][0]))
    assert name not in told
    assert "$" not in told
    assert "FILE" in told
