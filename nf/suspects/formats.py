"""Files that are no ONNX, known by their first bytes, and the command that makes ONNX of each.

Nothing is loaded to find out: a pickle runs whatever its maker likes.
"""

import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

_EXPORT = "torch.onnx.export(m, (torch.zeros(1, C, H, W),), 'suspect.onnx', dynamo=True)"
_OF_WEIGHTS = (
    f"weights without a network: build the network with the code that they are for, load them, and `{_EXPORT}`"
)
_TORCHSCRIPT = (
    "a TorchScript program: `python -c \"import torch; m = torch.jit.load('{name}').eval(); "
    "torch.onnx.export(m, (torch.zeros(1, C, H, W),), 'suspect.onnx', dynamo=False)\"`"
)
_PROGRAM = (
    "an exported program of PyTorch: `python -c \"import torch; p = torch.export.load('{name}'); "
    "torch.onnx.export(p, f='suspect.onnx', dynamo=True)\"`"
)
_SANDBOX = "; loading it runs its author's code, so do that where nothing can be harmed"
_PICKLE = f"a pickle, which is not opened here: ask its owner for ONNX, or build the network and `{_EXPORT}`{_SANDBOX}"
_SKLEARN = (
    "a pickle, which is not opened here: ask its owner for ONNX; for scikit-learn that is "
    "`skl2onnx.to_onnx(model, X[:1]).SerializeToString()`" + _SANDBOX
)
_KERAS = (
    "a Keras model: "
    "`python -c \"import keras; keras.models.load_model('{name}').export('suspect.onnx', format='onnx')\"`"
)
_TFLITE = (
    "a TFLite model: `pip install '.[tflite]'` brings what it is asked with; or "
    "`python -m tf2onnx.convert --tflite {name} --output suspect.onnx`"
)
_SAVED_MODEL = "a SavedModel of TensorFlow: `python -m tf2onnx.convert --saved-model {name} --output suspect.onnx`"
_OPENVINO = (
    "an OpenVINO model: `pip install '.[openvino]'` brings what it is asked with; or ask its owner for the "
    "ONNX that `ovc` was given, as nothing converts it back"
)
_COREML = "a Core ML model: ask its owner for the model that coremltools was given, as nothing converts it back"
_ORT = (
    "a model in onnxruntime's own format: ask its owner for the ONNX that "
    "`python -m onnxruntime.tools.convert_onnx_models_to_ort` was given"
)
_WRITTEN = (
    "ONNX as text, not binary: `python -c \"import onnx; onnx.save(onnx.load('{name}', format='{format}'), "
    "'suspect.onnx')\"`"
)
_LFS = "a pointer of Git LFS in its place: `git lfs pull` in its repository brings the file"
_HTML = "a web page: the download went wrong, look at it in a browser"
_SAFETENSORS = "safetensors, " + _OF_WEIGHTS
_H5 = _KERAS.replace("a Keras model", "an HDF5 file, as Keras 2 writes")

_PLAIN = re.compile(r"(?!-)[\w.-]+")
_NO_NAME = "FILE"  # in the place of a name that would be more than a name to whoever pastes the command

HEAD_BYTES = 4096
"""Bytes at the beginning of a file that most formats are known by."""


def advice(path: Path, data: bytes) -> str | None:
    """What the file at ``path`` that begins with ``data`` is, and how it becomes ONNX; ``None`` if that is not known.

    Args:
        path: also a folder, with no data.
        data: as much of it as there is at hand; 64 KiB are enough.

    Returns:
        One line. A command in it names the file only if a shell and Python read that name as nothing but a name.
    """
    known = _folder(path) if path.is_dir() else _file(path, data)
    return known.replace("{name}", path.name if _PLAIN.fullmatch(path.name) else _NO_NAME) if known else None


def is_tflite(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a TFLite model."""
    return head[4:8] == b"TFL3"


def is_openvino(head: bytes) -> bool:
    """Whether a file that begins with ``head`` describes an OpenVINO model."""
    return _text(head).startswith((b"<?xml", b"<net")) and b"<net" in _text(head)


def _text(head: bytes) -> bytes:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()


def _written(text: bytes) -> str | None:
    """The name in ``onnx.load`` of the format of ONNX that is no binary; ``None`` of others."""
    if text.startswith(b"ir_version:"):
        return "textproto"
    if text.startswith(b"{") and (b'"irversion"' in text or b'"ir_version"' in text):
        return "json"
    return "onnxtxt" if text.startswith(b"<") and b"ir_version" in text else None


def _folder(path: Path) -> str | None:
    if (path / "saved_model.pb").is_file():
        return _SAVED_MODEL
    return _COREML if path.suffix == ".mlpackage" else None


def _file(path: Path, data: bytes) -> str | None:
    head = data[:HEAD_BYTES]
    starts: tuple[tuple[bytes, str], ...] = (
        (b"version https://git-lfs", _LFS),
        (b"\x89HDF\r\n\x1a\n", _H5),
    )
    for start, known in starts:
        if head.startswith(start):
            return known
    if is_tflite(head):
        return _TFLITE
    if head[4:8] == b"ORTM":
        return _ORT
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    if _text(head).startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return _HTML
    if is_openvino(head):
        return _OPENVINO
    written = _written(_text(head))
    if written is not None:
        return _WRITTEN.replace("{format}", written)
    if _text(head).startswith(b"<?xml"):
        return "XML"
    if _is_safetensors(data):
        return _SAFETENSORS
    # Protocols 2 to 5 say so; PyTorch before 1.6 wrote its magic number as the first pickle.
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _PICKLE if b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" in head else _SKLEARN
    if path.suffix.lower() in (".mlmodel", ".mlpackage"):
        return _COREML
    return None


def _zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return "a damaged or cut ZIP archive"
    inner = {name.split("/", 1)[-1] for name in names}
    if {"config.json", "model.weights.h5"} <= set(names):
        return _KERAS
    if _any(names, "models/", ".json") or "serialized_exported_program.json" in inner or "archive_format" in inner:
        return _PROGRAM
    if "constants.pkl" in inner:
        return _TORCHSCRIPT
    if "data.pkl" in inner:
        return "a checkpoint of PyTorch, " + _OF_WEIGHTS
    onnx = next((name for name in names if name.endswith(".onnx")), None)
    return "a ZIP archive: unpack it, and name the ONNX file in it" if onnx else "a ZIP archive of something else"


def _any(names: Iterable[str], part: str, end: str) -> bool:
    return any(part in name and name.endswith(end) for name in names)


def _is_safetensors(data: bytes) -> bool:
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= min(len(data) - 8, 100 << 20) or data[8:9] != b"{":
        return False
    try:
        return isinstance(json.loads(data[8 : 8 + length]), dict)
    except (ValueError, RecursionError):
        return False
