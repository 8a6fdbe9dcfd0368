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
from nf.suspects.csv import TABLE, CsvSuspect
from nf.suspects.http import HttpSuspect
from nf.suspects.isolated import IsolatedSuspect
from nf.suspects.manners import Manners
from nf.suspects.v2 import PROTOCOL

_TABLES = (".csv", ".tsv", ".txt")
_ADAPTERS = (".yaml", ".yml")


def is_address(place: str) -> bool:
    """Whether ``place`` is an address and not a file."""
    return place.lower().startswith(("http://", "https://"))


def is_served(place: str) -> bool:
    """Whether ``place`` is an address, or a YAML file that describes one."""
    return is_address(place) or Path(place).suffix.lower() in _ADAPTERS


def is_table(place: str) -> bool:
    """Whether ``place`` is a table of answers, which are as they were however often it is read."""
    return Path(place).suffix.lower() in _TABLES


def open_suspect(
    place: str,
    *,
    output: OutputKind = "logits",
    timeout_seconds: float | None = None,
    token_from: str | None = None,
    stated: Interface | None = None,
    preset: str | None = None,
    manners: Mapping[str, float | None] | None = None,
    journal: Path | None = None,
    model_file: bool = False,
    shared: bool = False,
) -> Predictor:
    """The suspect at ``place`` as a black box.

    Args:
        place: an address of HTTP, a YAML file that describes one (``nf.suspects.adapter``), a table of answers
            (``.csv``, ``.tsv``, ``.txt``), or else an ONNX file, which runs in a process of its own.
        output: what its answers mean.
        timeout_seconds: longest time in seconds that a file may take to answer all images, or a server to answer one;
            where none is given, what an adapter file says, or else 60.
        token_from: environment variable with a bearer token for the address.
        stated: how it is asked, as far as that is known.
        preset: key of ``nf.suspects.presets.PRESETS`` for an address.
        manners: further fields of ``Manners`` for a server, over what its adapter file says; ``None`` where that is to
            decide.
        journal: folder for a server's answers as they come, so that a run that is cut can go on.
        model_file: whether ``place`` is a model whatever it is called, as in a folder that others filled: a description
            of a server in it would say where the queries go.
        shared: whether ``stated``, ``manners`` and ``journal`` are said of several suspects: what this one would not
            heed is left out then, and refused otherwise.

    Raises:
        ConfigError: the address is none, the variable is not set, a file is to get a token, manners or a journal, the
            suspect would not heed what is stated, or there is no folder for temporary files to ask an ONNX file in.
    """
    path, token, how = Path(place), _token(token_from), stated or Interface()
    polite = _given(dict(**(manners or {}), journal=journal))
    limits = _given(dict(**(manners or {}), timeout=timeout_seconds))
    if preset is not None and not is_address(place):
        raise ConfigError(f"preset: expected an address that speaks so, got {place}")
    if token is not None and (model_file or not is_served(place)):
        raise ConfigError(f"token: expected an address to send it to, got {place}")
    if polite and not shared and (model_file or not is_served(place)):
        raise ConfigError(f"{next(iter(polite))}: expected an address that is asked so, got {place}")
    if model_file:
        return _file(path, output, timeout_seconds, how)
    if is_address(place) and preset in (None, "v2"):
        how = PROTOCOL.heeded(how) if shared else how
        return HttpSuspect(place, output=output, token=token, how=how, manners=Manners(**limits), journal=journal)
    if is_address(place) and ("?" in place or "#" in place):
        raise ConfigError(
            "suspect: expected an address without '?' and '#'; what stands behind '?' belongs into an adapter file, "
            "under query"
        )
    if is_served(place):
        described = {"address": place, "preset": preset}
        adapter = parse_adapter(described, "suspect") if is_address(place) else read_adapter(path)
        adapter = replace(adapter, **limits)
        how = adapter.scope.heeded(how) if shared else how
        return open_adapter(adapter, path.parent, output=output, stated=how, journal=journal, token=token)
    if is_table(place):
        return CsvSuspect(path, output=output, how=TABLE.heeded(how) if shared else how)
    return _file(path, output, timeout_seconds, how)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _file(path: Path, output: OutputKind, timeout_seconds: float | None, how: Interface) -> IsolatedSuspect:
    limit = _given({"timeout_seconds": timeout_seconds})
    return IsolatedSuspect(path, output, interface=how, **limit)


def _token(name: str | None) -> str | None:
    if name is None:
        return None
    if not os.environ.get(name):
        raise ConfigError(f"token: expected one in the environment variable {name}, found none")
    return os.environ[name]
