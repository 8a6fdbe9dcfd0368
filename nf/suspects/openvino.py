"""A suspect in OpenVINO's files, asked in this process by the runtime of the extra ``openvino``."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.suspects.files import MAX_BYTES, read_beside, read_file
from nf.suspects.interpret import Raw
from nf.suspects.network import Network, one_line
from nf.suspects.signature import Port, Signature

# Full float32 everywhere, so that a verdict does not hang on the processor.
_SETTINGS = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}


class OpenVinoNetwork(Network):
    """An OpenVINO model, an ``.xml`` file with its weights in the ``.bin`` beside it, that answers in its own terms.

    Both are read here, so that the runtime opens nothing.

    Args:
        path: path of the ``.xml`` file.

    Raises:
        SuspectError: a file is missing, too large or a link, or the runtime refuses the network.
    """

    def __init__(self, path: Path) -> None:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # which would call home
        import openvino

        self.path = path
        network = read_file(path, kind="an OpenVINO model")
        try:
            weights = read_beside(path.parent, bin_of(path), MAX_BYTES - len(network))
        except SuspectError as error:
            raise SuspectError(f"{path}: {error}") from None
        try:
            core: Any = openvino.Core()
            self._compiled: Any = core.compile_model(core.read_model(network, weights), "CPU", _SETTINGS)
            inputs, outputs = (tuple(map(_port, ports)) for ports in (self._compiled.inputs, self._compiled.outputs))
        except Exception as error:  # the runtime's errors have no closer base
            raise SuspectError(f"{path}: expected a valid network, OpenVINO refuses it: {one_line(error)}") from error
        self.signature = Signature(inputs, outputs)

    def run(self, feeds: Mapping[str, NDArray[Any]], wanted: list[Port]) -> list[Raw]:
        """The ``wanted`` outputs for inputs by name."""
        places = {port.name: place for place, port in enumerate(self.signature.inputs)}
        answers = self._compiled({places[name]: np.ascontiguousarray(given) for name, given in feeds.items()})
        return [answers[self.signature.outputs.index(port)] for port in wanted]


def bin_of(path: Path) -> str:
    """Name of the file that the weights of the network at ``path`` lie in."""
    return f"{path.stem}.bin"


def _port(port: Any) -> Port:
    names, shape = sorted(port.get_names()), port.get_partial_shape()
    try:
        dtype = np.dtype(port.get_element_type().to_dtype()).name
    except Exception:  # a type that numpy lacks
        dtype = str(port.get_element_type().get_type_name())
    sizes = None if shape.rank.is_dynamic else tuple(size.get_length() if size.is_static else None for size in shape)
    return Port(names[0] if names else port.get_node().get_friendly_name(), dtype, sizes)
