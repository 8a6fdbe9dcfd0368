"""Sections of ``params.yaml`` as frozen dataclasses: unknown keys, missing keys and wrong types are errors."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from nf.core.errors import ConfigError

T = TypeVar("T")


def parse_section(cls: type[T], values: Mapping[str, Any] | None, where: str) -> T:
    """Build the dataclass ``cls`` from the mapping found at ``where`` in ``params.yaml``.

    Nested dataclasses, ``tuple[X, ...]``, ``Literal``, ``X | None`` and ``Mapping[str, X]`` are understood.

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
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def at_least(section: object, **least: int) -> None:
    """For ``__post_init__``: refuse fields of ``section`` below these; one that is ``None`` is not looked at.

    Raises:
        ValueError: names the first that is.
    """
    for name, smallest in least.items():
        value = getattr(section, name)
        if value is not None and value < smallest:
            raise ValueError(f"{name}: expected at least {smallest}, got {value}")


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
