"""``watchlist.yaml``: the suspects that are asked again and again."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from nf.core.errors import ConfigError
from nf.core.predictor import OutputKind
from nf.core.sections import parse_section
from nf.verification.isolation import IsolatedSuspect

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class WatchedSuspect:
    """One suspect of the list.

    Attributes:
        name: small letters, digits and ``.-_``; files are named after it.
        onnx: its file, relative to the list.
        output: what it answers with.
        timeout: seconds that it may take.
    """

    name: str
    onnx: str
    output: OutputKind = "logits"
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name: expected small letters, digits and '.-_', got {self.name!r}")
        if not self.timeout > 0:
            raise ValueError(f"timeout: expected seconds above 0, got {self.timeout:g}")


@dataclass(frozen=True)
class Watchlist:
    """What ``watchlist.yaml`` holds."""

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


def open_watched(suspect: WatchedSuspect, folder: Path) -> IsolatedSuspect:
    """The suspect as a black box in a process of its own; ``folder`` is the one that holds the list."""
    return IsolatedSuspect(folder / suspect.onnx, suspect.output, suspect.timeout)
