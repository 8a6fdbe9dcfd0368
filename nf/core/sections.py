"""Sections of ``params.yaml`` as frozen dataclasses: unknown keys, missing keys and wrong types are errors."""

import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from nf.core.errors import ConfigError

T = TypeVar("T")


def parse_section(cls: type[T], values: Mapping[str, Any] | None, where: str) -> T:
    """Build the dataclass ``cls`` from a mapping of ``params.yaml``.

    Nested dataclasses, ``tuple[X, ...]``, ``Literal``, ``X | None`` and ``Mapping[str, X]`` are understood.

    Args:
        cls: frozen dataclass to build.
        values: the mapping at ``where``; ``None``, which YAML gives for an empty section, stands for one without keys.
        where: dotted path of the mapping in ``params.yaml``, for messages.

    Raises:
        ConfigError: an unknown or missing key, a value of another type, or one that ``__post_init__`` refuses.
    """
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: expected a mapping, got {values!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = [str(key) for key in values if key not in fields]
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}, expected some of {', '.join(fields)}")
    hints = typing.get_type_hints(cls)
    arguments = {key: _convert(hints[key], value, f"{where}.{key}") for key, value in values.items()}
    missing = [
        name
        for name, field in fields.items()
        if name not in arguments
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where}: missing key {missing[0]!r}")
    try:
        return cls(**arguments)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def at_least(section: object, **least: int) -> None:
    """Check in ``__post_init__`` that fields are not too small; ``None`` is let through, NaN is not.

    Args:
        section: the dataclass to check.
        least: the smallest value that is allowed, by the field's name.

    Raises:
        ConfigError: a field is smaller; the message names the first one.
    """
    for name, value in _given(section, least):
        if not value >= least[name]:
            raise ConfigError(f"{name}: expected at least {least[name]}, got {value}")


def positive(section: object, *names: str) -> None:
    """Check in ``__post_init__`` that the fields ``names`` are above 0; ``None`` is let through, NaN is not.

    Raises:
        ConfigError: a field is 0 or less; the message names the first one.
    """
    for name, value in _given(section, names):
        if not value > 0:
            raise ConfigError(f"{name}: expected a positive number, got {value}")


def below_one(section: object, *names: str) -> None:
    """Check in ``__post_init__`` that the fields ``names`` lie in [0, 1); ``None`` is let through, NaN is not.

    Raises:
        ConfigError: a field lies outside; the message names the first one.
    """
    for name, value in _given(section, names):
        if not 0 <= value < 1:
            raise ConfigError(f"{name}: expected 0 or more and less than 1, got {value}")


def _given(section: object, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    values = ((name, getattr(section, name)) for name in names)
    return ((name, value) for name, value in values if value is not None)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in options:
            return None
        remaining = [option for option in options if option is not type(None)]
        return _convert(remaining[0], value, where) if len(remaining) == 1 else value
    if origin is typing.Literal:
        if value not in options:
            raise ConfigError(f"{where}: expected one of {', '.join(map(repr, options))}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: expected a list, got {value!r}")
        return tuple(_convert(options[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a mapping, got {value!r}")
        return {str(key): _convert(options[1], item, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return parse_section(typing.cast(type, hint), value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value
