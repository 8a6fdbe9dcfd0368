"""The Open Inference Protocol (V2), which KServe, Triton, MLServer, OpenVINO Model Server and others speak.

https://github.com/kserve/open-inference-protocol: ``GET <model>`` describes the model, ``POST <model>/infer`` asks it.
Its binary extension is read wherever a server uses it, and used for the types that JSON has no numbers for.
"""

import base64
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.http import Reply
from nf.core.interface import Channels, Interface, Layout, Number
from nf.suspects.manners import Caller
from nf.suspects.prepare import picture_file, prepare
from nf.suspects.scope import ANSWERS, NUMBERS, PICTURE, Scope
from nf.suspects.served import Message

_NUMBERS = {
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"{kind}{bits}": f"{kind.lower()}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)},
    "BOOL": "bool",
}
"""The protocol's names of types, and numpy's."""

_NAMES = {kind: name for name, kind in _NUMBERS.items()}
_SPLIT = "inference-header-content-length"
_UNNAMED = "input-0"
_SHOWN = 200  # characters of a server's own words
_LARGEST = 1 << 14  # height and width: nobody has larger images
_LENGTH = re.compile(r"[0-9]{1,9}")
_CLASSIFIED = re.compile(r"([-+0-9.eE]+):([0-9]{1,9})(?::(.*))?", re.DOTALL)

_NAMED = (*ANSWERS, "input_name", "output_name")
PROTOCOL = Scope("a server of the Open Inference Protocol", (*NUMBERS, "layout", "batch", *_NAMED))
"""What can be stated of a server before it has described itself."""

_PICTURES = Scope("a server that takes the bytes of pictures", (*PICTURE, *_NAMED))


class V2:
    """How models behind this protocol are spoken to.

    Args:
        address: address of the model, ``https://host/v2/models/<name>``, with ``/versions/<version>`` if one is meant.
    """

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._input = _UNNAMED
        self._as_bytes = False

    @property
    def name(self) -> str:
        """The address."""
        return self._address

    @property
    def advice(self) -> str:
        """None: the protocol says where answers stand."""
        return ""

    @property
    def sends_numbers(self) -> bool:
        """Unless the server takes the bytes of pictures."""
        return not self._as_bytes

    @property
    def scope(self) -> Scope:
        """All but what fills other inputs, as servers with several are refused; less where it takes pictures."""
        return _PICTURES if self._as_bytes else PROTOCOL

    def declare(self, caller: Caller, shape: tuple[int, int, int]) -> Interface:
        """What the server's description of its input says; servers need not describe anything.

        Raises:
            SuspectError: it takes no images, or of another form.
        """
        reply = caller.describe(self._address)
        described = {} if reply is None else self._json(reply.body)
        inputs = described.get("inputs") if isinstance(described, dict) else None
        if not isinstance(described, dict) or not (inputs is None or isinstance(inputs, list)):
            raise self._unfit("a model's description", type(described).__name__)
        if not inputs:
            return Interface()
        if len(inputs) != 1 or not isinstance(inputs[0], dict):
            raise self._unfit("one input", f"{len(inputs)}")
        name, sizes, datatype = (inputs[0].get(key) for key in ("name", "shape", "datatype"))
        self._input = str(name)
        self._as_bytes = datatype == "BYTES"
        if self._as_bytes:
            return Interface()
        kind = _NUMBERS.get(str(datatype))
        form = _form(sizes, shape) if isinstance(sizes, list) else None
        if kind is None or kind.startswith(("bool", "uint16", "uint32", "uint64")) or form is None:
            raise self._unfit("an input of numbers that takes an image", f"{datatype!r} of shape {sizes!r}")
        return replace(form, dtype=cast(Number, kind))

    def encode(self, image: NDArray[np.uint8], how: Interface) -> Message:
        """One image as a tensor, or as the bytes of a PNG where a server takes those."""
        address = f"{self._address}/infer"
        name = how.input_name or self._input
        if self._as_bytes:
            data = [base64.b64encode(picture_file(image, how)).decode()]
            encoded = {"shape": [1, 1], "datatype": "BYTES", "parameters": {"content_type": "base64"}, "data": data}
            return _message(address, {"inputs": [{"name": name, **encoded}]})
        array = prepare(image[None], how)
        if how.batch is False:
            array = array[0]
        tensor = {"name": name, "shape": list(array.shape), "datatype": _NAMES[array.dtype.name]}
        if array.dtype == np.float16:  # which JSON has no numbers for
            raw = array.astype("<f2").tobytes()
            head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(raw)}}]}).encode()
            kind = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
            return Message(address, head + raw, kind)
        # As floats, for JSON knows no other numbers; float32 comes out on the other side bit by bit.
        return _message(address, {"inputs": [{**tensor, "data": array.ravel().tolist()}]})

    def decode(self, reply: Reply, how: Interface) -> Mapping[str, Any]:
        """The outputs by name."""
        split = reply.headers.get(_SPLIT)
        if split is not None and not (_LENGTH.fullmatch(split) and int(split) <= len(reply.body)):
            raise SuspectError(f"expected the length of the JSON in the answer, got {split[:_SHOWN]!r}")
        head = len(reply.body) if split is None else int(split)
        answered, rest = self._json(reply.body[:head]), io.BytesIO(reply.body[head:])
        outputs = answered.get("outputs") if isinstance(answered, dict) else None
        if not isinstance(outputs, list) or not outputs or not all(isinstance(output, dict) for output in outputs):
            raise SuspectError("expected one output or more")
        return _for_one_image({str(output.get("name")): _read_output(output, rest) for output in outputs}, how)

    def _json(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self._unfit("JSON", f"{len(body)} other bytes") from None

    def _unfit(self, expected: str, got: str) -> SuspectError:
        return SuspectError(f"expected {expected}, got {got[:_SHOWN]}")


def _message(address: str, body: Mapping[str, Any]) -> Message:
    return Message(address, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _form(sizes: list[Any], shape: tuple[int, int, int]) -> Interface | None:
    """How images of ``shape`` (C, H, W) fit an input of ``sizes``, of which -1 is any; ``None`` if they do not."""
    if not all(isinstance(size, int) for size in sizes):
        return None
    dims = [None if size < 1 else size for size in sizes]
    if len(dims) == 2:
        channels = next((n for n in (shape[0], 1, 3) if dims[1] in (None, n * shape[1] * shape[2])), None)
        return None if channels is None else Interface(layout="flat", channels=_colours(channels, shape[0]))
    if any(size is not None and size > _LARGEST for size in dims):
        return None
    batch = len(dims) == 4
    if len(dims) == 3 and not {dims[0], dims[2]} & {1, 3}:
        return Interface(layout="nhw", channels=_colours(1, shape[0]), size=_size((dims[1], dims[2]), shape))
    if len(dims) not in (3, 4):
        return None
    a, b, c = dims[-3:]
    ways: tuple[tuple[Layout, int | None, tuple[int | None, int | None]], ...] = (
        ("nchw", a, (b, c)),
        ("nhwc", c, (a, b)),
    )
    # Sizes that are stated decide; where nothing does, the channels come first.
    for layout, channels, size in sorted(ways, key=lambda way: -_certain(way[1], way[2], shape)):
        if channels in (None, 1, 3):
            colours = None if channels is None else _colours(channels, shape[0])
            return Interface(layout=layout, batch=None if batch else False, channels=colours, size=_size(size, shape))
    return None


def _certain(channels: int | None, size: tuple[int | None, int | None], shape: tuple[int, int, int]) -> int:
    return 4 * (channels == shape[0]) + 2 * (channels in (1, 3)) + (size == shape[1:])


def _size(size: tuple[int | None, int | None], shape: tuple[int, int, int]) -> tuple[int, int] | None:
    wanted = (size[0] or size[1] or shape[1], size[1] or size[0] or shape[2])
    return None if wanted == shape[1:] else wanted


def _colours(channels: int, own: int) -> Channels | None:
    return None if channels == own else "grey" if channels == 1 else "rgb"


def _read_output(output: Mapping[str, Any], rest: io.BytesIO) -> Any:
    """An array of the stated shape, or a name, or pairs of class and score."""
    datatype = str(output.get("datatype"))
    kind = _NUMBERS.get(datatype)
    if kind is None and datatype not in ("BYTES", "BF16"):
        raise SuspectError(f"expected numbers or names, got an output of type {datatype[:_SHOWN]!r}")
    parameters = output.get("parameters")
    length = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    try:
        shape = [int(size) for size in output["shape"]]
        if length is not None:
            raw = rest.read(int(length))
            if datatype == "BYTES":
                return _names(_strings(raw))
            array = _from_bytes(raw, datatype).reshape(shape)
        else:
            data = output["data"]
            if datatype == "BYTES":
                return _names([str(name) for name in np.asarray(data, object).ravel()])
            array = np.asarray(data, dtype=kind or "float32").reshape(shape)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SuspectError("expected an output with a shape and as many numbers") from error
    return array.astype(np.uint8) if kind == "bool" else array


def _for_one_image(found: Mapping[str, Any], how: Interface) -> dict[str, Any]:
    """Arrays as (1, ...); of those that are no answer to one image nothing is left, if there are other outputs.

    Raises:
        SuspectError: there is no output that answers one image.
    """
    alone: dict[str, Any] = {}
    odd: list[tuple[int, ...]] = []
    for name, answer in found.items():
        if isinstance(answer, np.ndarray):
            if how.batch is False and answer.shape[:1] != (1,):
                answer = answer[None]  # as the image went out
            if answer.shape[:1] != (1,) or not answer.size:
                odd.append(answer.shape)
                answer = np.empty((1, 0))
        alone[name] = answer
    if len(odd) == len(alone):
        raise SuspectError(f"expected numbers for one image, got an output of shape {list(odd[0])}")
    return alone


def _from_bytes(raw: bytes, datatype: str) -> NDArray[Any]:
    if datatype == "BF16":  # the upper half of a float32
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    kind = np.dtype("uint8" if datatype == "BOOL" else _NUMBERS[datatype])
    return np.frombuffer(raw, kind.newbyteorder("<")).astype(kind)


def _strings(raw: bytes) -> list[str]:
    """Strings with their lengths before them, of four bytes each."""
    found, place = [], 0
    while place < len(raw):
        length = int.from_bytes(raw[place : place + 4], "little")
        text = raw[place + 4 : place + 4 + length]
        if len(text) != length:
            raise ValueError("too short")
        found.append(text.decode(errors="replace"))
        place += 4 + length
    return found


def _names(names: list[str]) -> Any:
    """One name; or of Triton's classification, ``score:class`` or ``score:class:name``, pairs of class and score."""
    parts = [_CLASSIFIED.fullmatch(name) for name in names]
    if names and all(parts):
        return [(part[3] or int(part[2]), float(part[1])) for part in parts if part]
    if len(names) != 1:
        raise SuspectError(f"expected the name of a class, got {len(names)} names")
    return names[0]
