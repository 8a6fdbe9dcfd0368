"""The runtime that a suspect's file is for, by its first bytes."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from nf.suspects.formats import HEAD_BYTES, is_openvino, is_tflite
from nf.suspects.inspect_onnx import weights_of_onnx
from nf.suspects.network import Network
from nf.suspects.onnx import OnnxNetwork
from nf.suspects.openvino import bin_of


def _openvino(path: Path) -> Network:
    from nf.suspects.openvino import OpenVinoNetwork

    return OpenVinoNetwork(path)


def _tflite(path: Path) -> Network:
    from nf.suspects.tflite import TfliteNetwork

    return TfliteNetwork(path)


@dataclass(frozen=True)
class _Extra:
    """A runtime that is an extra.

    Attributes:
        module: name of the module, found where the extra is installed.
        fits: whether a file that begins with so many bytes is for it.
        load: what loads the file.
        weights: names of the files beside it that hold its weights.
    """

    module: str
    fits: Callable[[bytes], bool]
    load: Callable[[Path], Network]
    weights: Callable[[Path], tuple[str, ...]]


_EXTRAS = (
    _Extra("openvino", is_openvino, _openvino, lambda path: (bin_of(path),)),
    _Extra("ai_edge_litert", is_tflite, _tflite, lambda path: ()),
)


def open_network(path: Path) -> Network:
    """The network in the file at ``path``: ONNX, or what the extras that are installed can ask.

    Raises:
        SuspectError: it is none of these, or cannot or should not be loaded.
    """
    extra = _extra_for(path)
    return OnnxNetwork(path) if extra is None else extra.load(path)


def weights_of(path: Path) -> tuple[str, ...]:
    """Names of the files beside ``path`` that the network there says its weights lie in; it is not run.

    Raises:
        SuspectError: it is none that can be asked.
    """
    extra = _extra_for(path)
    return weights_of_onnx(path) if extra is None else extra.weights(path)


def _extra_for(path: Path) -> _Extra | None:
    head = _head(path)
    return next((extra for extra in _EXTRAS if extra.fits(head) and find_spec(extra.module) is not None), None)


def _head(path: Path) -> bytes:
    """What the file begins with; nothing of what is no file or cannot be read, which is told where it is loaded."""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(HEAD_BYTES)
    return b""
