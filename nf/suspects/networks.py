"""The runtime that a suspect's file is for, by its first bytes."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from nf.suspects.formats import HEAD_BYTES, is_openvino, is_tflite
from nf.suspects.network import Network
from nf.suspects.onnx import OnnxNetwork


def _openvino(path: Path) -> Network:
    from nf.suspects.openvino import OpenVinoNetwork

    return OpenVinoNetwork(path)


def _tflite(path: Path) -> Network:
    from nf.suspects.tflite import TfliteNetwork

    return TfliteNetwork(path)


_EXTRAS: Mapping[str, tuple[Callable[[bytes], bool], Callable[[Path], Network]]] = {
    "openvino": (is_openvino, _openvino),
    "ai_edge_litert": (is_tflite, _tflite),
}
"""By the module of a runtime that is an extra: whether a file that begins so is for it, and what loads the file."""


def open_network(path: Path) -> Network:
    """The network in the file at ``path``: ONNX, or what the extras that are installed can ask.

    Raises:
        SuspectError: it is none of these, or cannot or should not be loaded.
    """
    head = _head(path)
    for module, (fits, load) in _EXTRAS.items():
        if fits(head) and find_spec(module) is not None:
            return load(path)
    return OnnxNetwork(path)


def _head(path: Path) -> bytes:
    """What the file begins with; nothing of what is no file or cannot be read, which is told where it is loaded."""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(HEAD_BYTES)
    return b""
