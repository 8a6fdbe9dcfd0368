"""A suspect behind an address that speaks the Open Inference Protocol: KServe, Triton, MLServer, OpenVINO and others.

https://github.com/kserve/open-inference-protocol: ``GET <model>`` describes the model, ``POST <model>/infer`` asks it.
"""

import json
import time
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import ConfigError, SuspectError
from nf.core.http import HttpError, check_address, check_token, request
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.suspects.answers import Answered, check_answers

_NUMBERS = {
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"{kind}{bits}": f"{kind.lower()}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)},
}
"""The protocol's names of types, and numpy's."""

_UNNAMED = "input-0"
_SHOWN = 200  # characters of a server's own words


class HttpSuspect:
    """A classifier behind HTTP as a black box; see ``nf.core.predictor.Predictor``.

    It gets one image a request, as from any customer.

    Args:
        address: address of the model, ``https://host/v2/models/<name>``, with ``/versions/<version>`` if one is meant.
        output: what its answers mean.
        timeout_seconds: for all images together.
        token: sent as bearer token.

    Raises:
        ConfigError: the address is not one of HTTP or goes on behind the model, or the token cannot be sent.
    """

    def __init__(
        self, address: str, *, output: OutputKind = "logits", timeout_seconds: float = 60.0, token: str | None = None
    ) -> None:
        parts = check_address(address, "suspect")
        if parts.query or parts.fragment:
            raise ConfigError(
                "suspect: expected the address of a model, got one with '?' or '#'; what the server is to know callers "
                "by is a token"
            )
        self._address = address.rstrip("/")
        self._output = output
        self._timeout_seconds = timeout_seconds
        self._token = check_token(token, "token")

    @property
    def output(self) -> OutputKind:
        """What an answer means."""
        return self._output

    def __call__(self, images: NDArray[np.uint8]) -> Answered:
        """Answer ``images`` (N, C, H, W), N >= 1: (N, classes) float32 scores or (N,) int64 labels.

        Raises:
            SuspectError: nobody answers in time, the model takes other images, or the answers are not of the stated
                form.
        """
        deadline = time.monotonic() + self._timeout_seconds
        described = self._request("", None, deadline)
        name = self._input_name(described, images)
        # As floats, for JSON knows no other numbers; float32 comes out on the other side bit by bit.
        scaled = images.astype(np.float32) / np.float32(255)
        answers = [self._ask(name, image, deadline) for image in scaled]
        if len({answer.shape[1:] for answer in answers}) > 1:
            raise self._unfit("one number of classes", "several")
        return cast(Answered, np.concatenate(answers))

    def _ask(self, name: str, image: NDArray[np.float32], deadline: float) -> Answered:
        shape = [1, *image.shape]
        tensor = {"name": name, "shape": shape, "datatype": "FP32", "data": image.ravel().tolist()}
        answered = self._request("/infer", {"inputs": [tensor]}, deadline)
        try:
            return check_answers(self._tensor(answered), self._output, 1)
        except SuspectError as error:
            raise SuspectError(f"{self._address}: {error}") from None

    def _request(self, path: str, body: Mapping[str, Any] | None, deadline: float) -> Any:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        try:
            answer = request(self._address + path, body, token=self._token, timeout=left)
        except HttpError as error:
            if time.monotonic() >= deadline:
                raise self._late() from None
            words = f": {printable(error.said[:_SHOWN])}" if error.said else ""
            raise SuspectError(f"{self._address}{path}: {error}{words}") from None
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise self._unfit("JSON", f"{len(answer)} other bytes") from None

    def _input_name(self, described: Any, images: NDArray[np.uint8]) -> str:
        """Of the model's only input, which must take one such image; servers need not describe inputs."""
        inputs = described.get("inputs") if isinstance(described, dict) else None
        if not isinstance(described, dict) or not (inputs is None or isinstance(inputs, list)):
            raise self._unfit("a model's description", type(described).__name__)
        if not inputs:
            return _UNNAMED
        if len(inputs) != 1 or not isinstance(inputs[0], dict):
            raise self._unfit("one input", f"{len(inputs)}")
        shape, datatype = inputs[0].get("shape"), inputs[0].get("datatype")
        wanted = (1, *images.shape[1:])
        sizes = shape if isinstance(shape, list) else []
        fits = len(sizes) == 4 and all(size in (-1, own) for size, own in zip(sizes, wanted, strict=True))
        if datatype != "FP32" or not fits:
            raise self._unfit(f"an input of type FP32 and shape {list(wanted)}", f"{datatype!r} of shape {shape!r}")
        return str(inputs[0].get("name"))

    def _tensor(self, answered: Any) -> NDArray[np.generic]:
        outputs = answered.get("outputs") if isinstance(answered, dict) else None
        if not isinstance(outputs, list) or len(outputs) != 1 or not isinstance(outputs[0], dict):
            raise SuspectError("expected one output")
        output = outputs[0]
        kind = _NUMBERS.get(str(output.get("datatype")))
        if kind is None:
            raise SuspectError(f"expected numbers, got an output of type {str(output.get('datatype'))[:_SHOWN]!r}")
        try:
            tensor = np.asarray(output["data"], dtype=kind).reshape(output["shape"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SuspectError("expected an output with a shape and as many numbers") from error
        return tensor[0] if self._output == "labels" and tensor.shape == (1, 1) else tensor

    def _late(self) -> SuspectError:
        return self._unfit(f"all answers within {self._timeout_seconds:g} seconds", "fewer")

    def _unfit(self, expected: str, got: str) -> SuspectError:
        return SuspectError(f"{self._address}: expected {expected}, got {printable(got[:_SHOWN])}")
