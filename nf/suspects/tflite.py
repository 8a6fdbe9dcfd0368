"""A suspect in a TFLite file, asked in this process by the runtime of the extra ``tflite``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.suspects.files import read_file
from nf.suspects.interpret import Raw
from nf.suspects.network import Network, one_line
from nf.suspects.signature import Port, Signature


class TfliteNetwork(Network):
    """A TFLite model that answers in its own terms; quantised answers become numbers.

    Args:
        path: the file.

    Raises:
        SuspectError: the file is missing or too large, or the runtime refuses the network.
    """

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.path = path
        data = read_file(path, kind="a TFLite model")
        try:
            self._interpreter = Interpreter(model_content=data, num_threads=1)
            self._interpreter.allocate_tensors()
        except Exception as error:  # the runtime's errors have no closer base
            raise SuspectError(f"{path}: expected a valid network, LiteRT refuses it: {one_line(error)}") from error
        self._inputs = {str(detail["name"]): detail for detail in self._interpreter.get_input_details()}
        self._outputs = {str(detail["name"]): detail for detail in self._interpreter.get_output_details()}
        self.signature = Signature(*(tuple(map(_port, ports.values())) for ports in (self._inputs, self._outputs)))

    def run(self, feeds: Mapping[str, NDArray[Any]], wanted: list[Port]) -> list[Raw]:
        """The ``wanted`` outputs for inputs by name."""
        for name, given in feeds.items():
            self._interpreter.resize_tensor_input(self._inputs[name]["index"], given.shape)
        self._interpreter.allocate_tensors()
        for name, given in feeds.items():
            self._interpreter.set_tensor(self._inputs[name]["index"], given)
        self._interpreter.invoke()
        return [self._read(self._outputs[port.name]) for port in wanted]

    def _read(self, detail: Mapping[str, Any]) -> NDArray[Any]:
        answer: NDArray[Any] = self._interpreter.get_tensor(detail["index"])
        scale, zero = detail["quantization"]
        return answer if scale == 0 else ((answer.astype(np.float64) - zero) * scale).astype(np.float32)


def _port(detail: Mapping[str, Any]) -> Port:
    sizes = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    kind = np.dtype(detail["dtype"])
    shape = tuple(int(size) if size > 0 else None for size in sizes)
    return Port(str(detail["name"]), "string" if kind.kind in "SOU" else kind.name, shape)
