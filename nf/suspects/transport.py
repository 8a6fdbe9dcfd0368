"""What passes between this process and a suspect's: a line of JSON, then arrays as ``.npy``. Never a pickle."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nf.suspects.interpret import Raw


def pack(header: Mapping[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> bytes:
    """``header`` and ``arrays`` as bytes."""
    buffer = io.BytesIO()
    buffer.write(json.dumps({**header, "arrays": len(arrays)}).encode() + b"\n")
    for array in arrays:
        np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """The inverse of ``pack``.

    Raises:
        ValueError: the bytes are others.
    """
    buffer = io.BytesIO(data)
    try:
        header = json.loads(buffer.readline())
        arrays = [np.lib.format.read_array(buffer, allow_pickle=False) for _ in range(header["arrays"])]
    except (EOFError, KeyError, TypeError, MemoryError, RecursionError, OverflowError) as error:
        raise ValueError(f"expected a line of JSON and arrays, got {len(data)} other bytes") from error
    return header, arrays


def pack_raws(asked: Sequence[Mapping[str, Raw]]) -> bytes:
    """A suspect's answers by output, of each time that it was asked."""
    outputs: list[dict[str, Any]] = []
    arrays: list[NDArray[Any]] = []
    for time, name, raw in ((time, name, raw) for time, raws in enumerate(asked) for name, raw in raws.items()):
        keys: list[Any] | None = None
        if isinstance(raw, np.ndarray):
            arrays.append(raw)
        elif raw and isinstance(raw[0], Mapping):
            keys = list(dict.fromkeys(key for item in raw for key in item))
            arrays.append(np.array([[item.get(key, np.nan) for key in keys] for item in raw], np.float64))
        else:
            arrays.append(np.array(raw, np.str_))
        outputs.append({"time": time, "name": name, "keys": keys})
    return pack({"outputs": outputs}, arrays)


def unpack_raws(data: bytes, times: int) -> list[dict[str, Raw]]:
    """The inverse of ``pack_raws`` for a suspect that was asked so many ``times``.

    Raises:
        ValueError: the bytes are others.
    """
    header, arrays = unpack(data)
    asked: list[dict[str, Raw]] = [{} for _ in range(times)]
    try:
        for output, array in zip(header["outputs"], arrays, strict=True):
            asked[output["time"]][str(output["name"])] = _raw(output["keys"], array)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("expected a name and keys for each output") from error
    return asked


def _raw(keys: list[Any] | None, array: NDArray[Any]) -> Raw:
    if keys is not None:
        return [
            {key: float(score) for key, score in zip(keys, row, strict=True) if not np.isnan(score)} for row in array
        ]
    if array.dtype.kind == "U":
        return [str(name) for name in array]
    return array
