"""The GANs by name. To add one: a file beside ``sagan.py`` and a line here."""

from typing import Any

from nf.core.errors import UnknownNameError
from nf.gan.definition import GanDefinition
from nf.gan.sagan import SAGAN

GANS: dict[str, GanDefinition[Any]] = {
    "sagan": SAGAN,
}


def find_gan(name: str) -> GanDefinition[Any]:
    """The definition called ``name``.

    Raises:
        UnknownNameError: there is none; the message lists those that are.
    """
    if name not in GANS:
        raise UnknownNameError("gan", name, GANS)
    return GANS[name]
