"""``watchlist.yaml``: the suspects that are verified on a schedule."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from nf.core.errors import ConfigError
from nf.core.http import check_address
from nf.core.predictor import OutputKind, Predictor
from nf.core.sections import parse_section
from nf.suspects import open_suspect

_DAY = 86_400
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class WatchedSuspect:
    """One suspect of the list.

    Attributes:
        name: name of the suspect, of small letters, digits and ``.-_``; files are named after it.
        onnx: path of an ONNX file, relative to the list; ``None`` for a suspect behind an address.
        address: address of a model behind HTTP, see ``HttpSuspect``; ``None`` for a suspect in a file.
        token_from: name of the environment variable with a bearer token for the address.
        output: form of the suspect's answers: ``logits``, ``probabilities`` or ``labels``.
        timeout: longest time in seconds that the suspect may take to answer all images.
    """

    name: str
    onnx: str | None = None
    address: str | None = None
    token_from: str | None = None
    output: OutputKind = "logits"
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name: expected small letters, digits and '.-_', got {self.name!r}")
        if (self.onnx is None) == (self.address is None):
            raise ValueError(f"{self.name}: expected either onnx or address")
        if self.address is not None:
            check_address(self.address, f"{self.name}: address")
        elif self.token_from is not None:
            raise ValueError(f"{self.name}: token_from: expected an address to send a token to, got a file")
        if self.onnx is not None and self.onnx.lower().endswith(".csv"):
            raise ValueError(f"{self.name}: onnx: expected a suspect that can be asked again, got a table of answers")
        if not 0 < self.timeout <= _DAY:
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
        ConfigError: the file is missing, is not YAML, or has unknown, missing or unusable values.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"expected a watch list at {path}, found nothing") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return parse_section(Watchlist, document, str(path))


def open_watched(suspect: WatchedSuspect, folder: Path) -> Predictor:
    """Open a suspect of the list as a black box.

    Args:
        suspect: entry of the list.
        folder: folder of the list, to which files are relative.

    Raises:
        ConfigError: the variable for its token is not set, or there is no folder for temporary files.
    """
    place = suspect.address or str(folder / str(suspect.onnx))
    return open_suspect(place, output=suspect.output, timeout_seconds=suspect.timeout, token_from=suspect.token_from)
