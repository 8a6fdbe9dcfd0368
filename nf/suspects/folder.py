"""The suspects in a folder, which somebody else may have filled."""

from pathlib import Path

from nf.core.errors import ConfigError
from nf.suspects.formats import advice

_WEIGHTS = (".data", "_data")  # what exporters add to a network's name for its weights


def holds_suspects(place: Path) -> bool:
    """Whether ``place`` is a folder of suspects; some formats keep one model in a folder."""
    return place.is_dir() and advice(place, b"") is None


def suspects_in(folder: Path) -> list[Path]:
    """All that lies in ``folder`` and is to be asked or refused, by name.

    Left out are hidden files, and weights that lie beside their network: ``a.onnx.data`` of ``a.onnx``, ``a.bin`` of
    ``a.xml``.

    Raises:
        ConfigError: the folder cannot be read, or nothing is left.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"{folder}: expected a folder of suspects, cannot read it: {error.strerror}") from error
    names = {path.name for path in paths}
    found = [path for path in paths if _network_of(path.name) not in names]
    if not found:
        raise ConfigError(f"{folder}: expected a folder of suspects, found none in it")
    return found


def _network_of(name: str) -> str | None:
    """The file that ``name`` would hold the weights of; ``None`` if it is not called like weights."""
    if name.endswith(".bin"):
        return name.removesuffix(".bin") + ".xml"
    return next((name.removesuffix(end) for end in _WEIGHTS if name.endswith(end)), None)
