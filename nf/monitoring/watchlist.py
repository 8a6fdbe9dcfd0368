"""``watchlist.yaml``: the suspects that are verified on a schedule."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from nf.core.errors import ConfigError
from nf.core.http import check_address
from nf.core.predictor import Predictor
from nf.core.sections import parse_section
from nf.suspects import (
    Interface,
    Kind,
    is_served,
    is_table,
    open_suspect,
    output_of,
    parse_input,
    parse_size,
    state_interface,
)

_DAY = 86_400
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class WatchedSuspect:
    """One suspect of the list.

    Attributes:
        name: name of the suspect, of small letters, digits and ``.-_``; files are named after it.
        onnx: path of an ONNX file, relative to the list; ``None`` for any other suspect.
        address: address of a model behind HTTP, see ``HttpSuspect``; ``None`` for any other suspect.
        preset: kind of server at the address, if it is not as ``HttpSuspect`` expects; see ``nf.suspects.presets``.
        adapter: path of a YAML file that describes a server, relative to the list; see ``nf.suspects.adapter``.
        token_from: name of the environment variable with a bearer token for the address.
        output: form of the suspect's answers; control images show it where it is not stated.
        input: how the suspect takes images, in words; see ``nf.core.interface.parse_input``.
        size: height and width of its images in pixels, as in 224 or 240x320.
        labels: path of a file with its names of the owner's classes, relative to the list.
        interface: path of a YAML file with all of that, relative to the list.
        timeout: longest time in seconds that a file may take to answer all images, or a server to answer one; where
            none is given, what an adapter file says, or else 60.
    """

    name: str
    onnx: str | None = None
    address: str | None = None
    preset: str | None = None
    adapter: str | None = None
    token_from: str | None = None
    output: Kind | None = None
    input: str | None = None
    size: str | int | None = None
    labels: str | None = None
    interface: str | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name: expected small letters, digits and '.-_', got {self.name!r}")
        if [self.onnx, self.address, self.adapter].count(None) != 2:
            raise ValueError(f"{self.name}: expected either onnx or address or adapter")
        if self.preset is not None and self.address is None:
            raise ValueError(f"{self.name}: preset: expected an address that speaks so, got a file")
        if self.adapter is not None and not self.adapter.lower().endswith((".yaml", ".yml")):
            raise ValueError(f"{self.name}: adapter: expected a YAML file, got {self.adapter!r}")
        if self.address is not None:
            check_address(self.address, f"{self.name}: address")
        elif self.token_from is not None and self.adapter is None:
            raise ValueError(f"{self.name}: token_from: expected an address to send a token to, got a file")
        if self.onnx is not None and is_table(self.onnx):
            raise ValueError(f"{self.name}: onnx: expected a suspect that can be asked again, got a table of answers")
        if self.onnx is not None and is_served(self.onnx):
            raise ValueError(
                f"{self.name}: onnx: expected a file of a model, got {self.onnx!r}; name it as adapter or address"
            )
        if self.input is not None:
            parse_input(self.input)
        if self.size is not None:
            parse_size(str(self.size))
        if self.timeout is not None and not 0 < self.timeout <= _DAY:
            raise ValueError(f"timeout: expected seconds above 0 and no more than a day, got {self.timeout:g}")


@dataclass(frozen=True)
class Watchlist:
    """The contents of ``watchlist.yaml``.

    Attributes:
        suspects: suspects of the list, in its order.
    """

    suspects: tuple[WatchedSuspect, ...]

    def __post_init__(self) -> None:
        names = [suspect.name for suspect in self.suspects]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"suspects: expected each name once, got {', '.join(twice)} more than once")


def load_watchlist(path: Path) -> Watchlist:
    """Read a watch list.

    Raises:
        ConfigError: the file is missing or cannot be read, is not YAML, or has unknown, missing or unusable values.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"expected a watch list at {path}, found nothing") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return parse_section(Watchlist, document, str(path))


def stated_of(suspect: WatchedSuspect, folder: Path) -> Interface:
    """What the list says of how ``suspect`` is asked; ``folder`` is the one that holds the list.

    Raises:
        ConfigError: a file that it names cannot be used.
    """
    return state_interface(
        words=suspect.input,
        size=None if suspect.size is None else str(suspect.size),
        labels=folder / suspect.labels if suspect.labels else None,
        file=folder / suspect.interface if suspect.interface else None,
        kind=suspect.output,
    )


def open_watched(suspect: WatchedSuspect, folder: Path) -> Predictor:
    """Open a suspect of the list as a black box.

    Args:
        suspect: entry of the list.
        folder: folder of the list, to which files are relative.

    Raises:
        ConfigError: the variable for its token is not set, a file that it names cannot be used, or there is no folder
            for temporary files.
    """
    place = suspect.address or str(folder / str(suspect.adapter or suspect.onnx))
    stated = stated_of(suspect, folder)
    return open_suspect(
        place,
        output=output_of(stated),
        timeout_seconds=suspect.timeout,
        token_from=suspect.token_from,
        stated=stated,
        preset=suspect.preset,
    )
