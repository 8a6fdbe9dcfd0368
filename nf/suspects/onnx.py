"""A suspect in an ONNX file, asked in this process.

For files of one's own making. A file from outside is asked through ``nf.suspects.isolated``, which runs the same
class in a process that can be stopped.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.interface import Interface
from nf.core.predictor import OutputKind
from nf.suspects.inspect_onnx import read_suspect
from nf.suspects.interpret import Raw
from nf.suspects.network import Network, NetworkSuspect, one_line
from nf.suspects.signature import Port

Device = Literal["cpu", "cuda"]

# Full float32 on the GPU too, so that a verdict does not hang on the device.
_CUDA_PROVIDER = ("CUDAExecutionProvider", {"use_tf32": "0"})
_CPU_PROVIDER = "CPUExecutionProvider"
_FATAL_ONLY = 4


class OnnxNetwork(Network):
    """An ONNX file that answers in its own terms.

    Args:
        path: the file.
        batch_size: images that are sent at once; a file with a fixed batch gets batches of that size.
        device: device that it computes on.

    Raises:
        SuspectError: the file cannot or should not be loaded (see ``inspect_onnx``), or the device is missing.
    """

    def __init__(self, path: Path, *, batch_size: int = 256, device: Device = "cpu") -> None:
        data, self.signature = read_suspect(path)
        self.path = path
        self.batch_size = batch_size
        self._session = _open_session(path, data, device)

    def run(self, feeds: Mapping[str, NDArray[Any]], wanted: list[Port]) -> list[Raw]:
        """The ``wanted`` outputs for inputs by name."""
        return list(self._session.run([output.name for output in wanted], dict(feeds)))


class OnnxSuspect(NetworkSuspect):
    """A classifier in an ONNX file as a black box; see ``nf.core.predictor.Predictor``.

    Args:
        path: the file.
        output: what its answers mean.
        batch_size: images that are sent at once; a file with a fixed batch gets batches of that size.
        device: device that the suspect computes on.
        interface: how the suspect is asked, where the file's shapes leave that open; without, the file takes images as
            they are, in [0, 1], and has one output.

    Raises:
        SuspectError: the file cannot or should not be loaded (see ``inspect_onnx``), or the device is missing.
    """

    def __init__(
        self,
        path: Path,
        *,
        output: OutputKind = "logits",
        batch_size: int = 256,
        device: Device = "cpu",
        interface: Interface | None = None,
    ) -> None:
        network = OnnxNetwork(path, batch_size=batch_size, device=device)
        super().__init__(network, output=output, interface=interface)


def _open_session(path: Path, data: bytes, device: Device) -> Any:
    import onnxruntime  # takes longer than all else that a verdict imports

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Left to itself, onnxruntime guesses the format, and might run another network than the one that was inspected.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = _FATAL_ONLY
    if device == "cuda":
        onnxruntime.preload_dlls()
    providers = [_CUDA_PROVIDER, _CPU_PROVIDER] if device == "cuda" else [_CPU_PROVIDER]
    try:
        session = onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no closer base
        raise SuspectError(f"{path}: expected a valid network, onnxruntime refuses it: {one_line(error)}") from error
    # onnxruntime falls back to the CPU without an exception.
    if device == "cuda" and _CUDA_PROVIDER[0] not in session.get_providers():
        got = ", ".join(session.get_providers())
        raise SuspectError(
            f"device: expected a GPU for 'cuda', got {got}; if there is one, `pip install '.[gpu]'` brings CUDA"
        )
    return session
