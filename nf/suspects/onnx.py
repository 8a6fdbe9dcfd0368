"""A suspect in an ONNX file, asked in this process.

For files of one's own making. A file from outside is asked through ``nf.suspects.isolated``, which runs the same
class in a process that can be stopped.
"""

from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.suspects.answers import Answered, check_answers
from nf.suspects.inspect_onnx import read_suspect

Device = Literal["cpu", "cuda"]

# Full float32 on the GPU too, so that a verdict does not hang on the device.
_CUDA_PROVIDER = ("CUDAExecutionProvider", {"use_tf32": "0"})
_CPU_PROVIDER = "CPUExecutionProvider"
_FATAL_ONLY = 4


class OnnxSuspect:
    """A classifier in an ONNX file as a black box; see ``nf.core.predictor.Predictor``.

    Args:
        path: the file; its input takes float32 (N, C, H, W) in [0, 1].
        output: what its answers mean.
        batch_size: images that are sent at once; a file with a fixed batch gets batches of that size.
        device: device that the suspect computes on.

    Raises:
        SuspectError: the file cannot or should not be loaded (see ``inspection``), or the device is missing.
    """

    def __init__(
        self,
        path: Path,
        *,
        output: OutputKind = "logits",
        batch_size: int = 256,
        device: Device = "cpu",
    ) -> None:
        data, self._signature = read_suspect(path)
        self._path = path
        self._output = output
        self._batch_size = self._signature.batch or batch_size
        self._session = _open_session(path, data, device)

    @property
    def output(self) -> OutputKind:
        """What an answer means."""
        return self._output

    @property
    def input_shape(self) -> tuple[int | None, int | None, int | None]:
        """(C, H, W) of an image; ``None`` where any size will do."""
        return self._signature.input_shape

    @property
    def num_classes(self) -> int | None:
        """Number of classes, if the file states it."""
        return self._signature.num_classes

    def __call__(self, images: NDArray[np.uint8]) -> Answered:
        """Answer ``images`` (N, C, H, W), N >= 1: (N, classes) float32 scores or (N,) int64 labels.

        Raises:
            SuspectError: the images do not fit the file's input, or the answers are not of the stated form.
        """
        self._check_images(images)
        starts = range(0, len(images), self._batch_size)
        batches = [self._ask(images[start : start + self._batch_size]) for start in starts]
        if self.output != "labels":
            expected = self.num_classes or batches[0].shape[1]
            for batch in batches:
                if batch.shape[1] != expected:
                    raise SuspectError(f"{self._path}: expected {expected} classes, got {batch.shape[1]}")
        return cast(Answered, np.concatenate(batches))

    def _check_images(self, images: NDArray[np.uint8]) -> None:
        fits = images.dtype == np.uint8 and images.ndim == 4 and len(images) > 0
        if fits and all(want in (None, got) for want, got in zip(self.input_shape, images.shape[1:], strict=True)):
            return
        sizes = (str(want or letter) for want, letter in zip(self.input_shape, "CHW", strict=True))
        raise SuspectError(
            f"{self._path}: expected queries of shape (N, {', '.join(sizes)}), which the suspect takes, "
            f"got {images.dtype} {images.shape}"
        )

    def _ask(self, images: NDArray[np.uint8]) -> Answered:
        scaled = images.astype(np.float32) / np.float32(255)
        if self._signature.batch is not None:
            # With the last image again, as a network need not have an answer to a black one.
            scaled = np.pad(scaled, ((0, self._signature.batch - len(images)), (0, 0), (0, 0), (0, 0)), mode="edge")
        try:
            (answers,) = self._session.run(None, {self._signature.input_name: scaled})
        except Exception as error:  # onnxruntime's errors have no closer base
            raise SuspectError(f"{self._path}: the suspect cannot answer: {_one_line(error)}") from error
        if not isinstance(answers, np.ndarray):
            raise SuspectError(f"{self._path}: expected a tensor as answer, got {type(answers).__name__}")
        try:
            return check_answers(answers, self.output, len(scaled))[: len(images)]
        except SuspectError as error:
            raise SuspectError(f"{self._path}: {error}") from None


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
        raise SuspectError(f"{path}: expected a valid network, onnxruntime refuses it: {_one_line(error)}") from error
    # onnxruntime falls back to the CPU without an exception.
    if device == "cuda" and _CUDA_PROVIDER[0] not in session.get_providers():
        got = ", ".join(session.get_providers())
        raise SuspectError(
            f"device: expected a GPU for 'cuda', got {got}; if there is one, install CUDA with naturalfinger[gpu]"
        )
    return session


def _one_line(error: Exception) -> str:
    """The end of onnxruntime's message, which begins with places in its source and quotes names from the file."""
    return printable(" ".join(str(error).split()))[-200:]
