"""Where a suspect is: an ONNX file, an address, or a table of its answers."""

import os
from pathlib import Path

from nf.core.errors import ConfigError
from nf.core.predictor import OutputKind, Predictor
from nf.suspects.csv import CsvSuspect
from nf.suspects.http import HttpSuspect
from nf.suspects.interface import Interface
from nf.suspects.isolated import IsolatedSuspect


def is_address(place: str) -> bool:
    """Whether ``place`` is an address and not a file."""
    return place.lower().startswith(("http://", "https://"))


def open_suspect(
    place: str,
    *,
    output: OutputKind = "logits",
    timeout_seconds: float = 60.0,
    token_from: str | None = None,
    stated: Interface | None = None,
) -> Predictor:
    """The suspect at ``place`` as a black box.

    Args:
        place: an address of HTTP, a ``.csv`` file of answers, or else an ONNX file, which runs in a process of its own.
        output: what its answers mean.
        timeout_seconds: that it may take.
        token_from: environment variable with a bearer token for the address.
        stated: how an ONNX file is asked, as far as that is known.

    Raises:
        ConfigError: the address is none, the variable is not set, a file is to get a token, or there is no folder for
            temporary files to ask an ONNX file in.
    """
    if is_address(place):
        return HttpSuspect(place, output=output, timeout_seconds=timeout_seconds, token=_token(token_from))
    if token_from is not None:
        raise ConfigError(f"token: expected an address to send it to, got {place}")
    path = Path(place)
    if path.suffix.lower() == ".csv":
        return CsvSuspect(path, output=output)
    return IsolatedSuspect(path, output, timeout_seconds, interface=stated or Interface())


def _token(name: str | None) -> str | None:
    if name is None:
        return None
    if not os.environ.get(name):
        raise ConfigError(f"token: expected one in the environment variable {name}, found none")
    return os.environ[name]
