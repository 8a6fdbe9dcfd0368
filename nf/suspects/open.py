"""Where a suspect is: an ONNX file, an address, an adapter file for one, or a table of its answers."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nf.core.errors import ConfigError
from nf.core.interface import Interface
from nf.core.predictor import OutputKind, Predictor
from nf.suspects.adapter import open_adapter, parse_adapter, read_adapter
from nf.suspects.csv import CsvSuspect
from nf.suspects.http import HttpSuspect
from nf.suspects.isolated import IsolatedSuspect
from nf.suspects.manners import Manners

_TABLES = (".csv", ".tsv", ".txt")
_ADAPTERS = (".yaml", ".yml")


def is_address(place: str) -> bool:
    """Whether ``place`` is an address and not a file."""
    return place.lower().startswith(("http://", "https://"))


def is_served(place: str) -> bool:
    """Whether ``place`` is an address, or a YAML file that describes one."""
    return is_address(place) or Path(place).suffix.lower() in _ADAPTERS


def open_suspect(
    place: str,
    *,
    output: OutputKind = "logits",
    timeout_seconds: float = 60.0,
    token_from: str | None = None,
    stated: Interface | None = None,
    preset: str | None = None,
    manners: Mapping[str, float | None] | None = None,
    journal: Path | None = None,
    model_file: bool = False,
) -> Predictor:
    """The suspect at ``place`` as a black box.

    Args:
        place: an address of HTTP, a YAML file that describes one (``nf.suspects.adapter``), a ``.csv`` file of answers,
            or else an ONNX file, which runs in a process of its own.
        output: what its answers mean.
        timeout_seconds: longest time in seconds that a file may take to answer all images, or a server to answer one.
        token_from: environment variable with a bearer token for the address.
        stated: how it is asked, as far as that is known.
        preset: key of ``nf.suspects.presets.PRESETS`` for an address.
        manners: fields of ``Manners`` for a server, over what its adapter file says; ``None`` where that is to decide.
        journal: folder for a server's answers as they come, so that a run that is cut can go on.
        model_file: whether ``place`` is a model whatever it is called, as in a folder that others filled: a description
            of a server in it would say where the queries go.

    Raises:
        ConfigError: the address is none, the variable is not set, a file is to get a token, or there is no folder for
            temporary files to ask an ONNX file in.
    """
    path, token = Path(place), _token(token_from)
    limits: dict[str, Any] = {name: value for name, value in (manners or {}).items() if value is not None}
    if preset is not None and not is_address(place):
        raise ConfigError(f"preset: expected an address that speaks so, got {place}")
    if token is not None and (model_file or not is_served(place)):
        raise ConfigError(f"token: expected an address to send it to, got {place}")
    if model_file:
        return IsolatedSuspect(path, output, timeout_seconds, interface=stated or Interface())
    if is_address(place) and preset in (None, "v2"):
        polite = Manners(**{"timeout": timeout_seconds, **limits})
        return HttpSuspect(place, output=output, token=token, how=stated, manners=polite, journal=journal)
    if is_address(place) and ("?" in place or "#" in place):
        raise ConfigError(
            "suspect: expected an address without '?' and '#'; what stands behind '?' belongs into an adapter file, "
            "under query"
        )
    if is_served(place):
        described = {"address": place, "preset": preset}
        adapter = parse_adapter(described, "suspect") if is_address(place) else read_adapter(path)
        adapter = replace(adapter, **limits)
        return open_adapter(adapter, path.parent, output=output, stated=stated, journal=journal, token=token)
    if path.suffix.lower() in _TABLES:
        return CsvSuspect(path, output=output, how=stated)
    return IsolatedSuspect(path, output, timeout_seconds, interface=stated or Interface())


def _token(name: str | None) -> str | None:
    if name is None:
        return None
    if not os.environ.get(name):
        raise ConfigError(f"token: expected one in the environment variable {name}, found none")
    return os.environ[name]
