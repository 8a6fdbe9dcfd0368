"""The GANs by name. To add one: a file beside ``sagan.py`` and a line here."""

from typing import Any

from nf.core.errors import UnknownNameError
from nf.gan.contragan import CONTRAGAN
from nf.gan.definition import GanDefinition
from nf.gan.icrgan import ICRGAN
from nf.gan.logan import LOGAN
from nf.gan.reacgan import REACGAN
from nf.gan.sagan import SAGAN
from nf.gan.wgan_gp import WGAN_GP

GANS: dict[str, GanDefinition[Any]] = {
    "sagan": SAGAN,
    "wgan_gp": WGAN_GP,
    "logan": LOGAN,
    "contragan": CONTRAGAN,
    "icrgan": ICRGAN,
    "reacgan": REACGAN,
}


def find_gan(name: str) -> GanDefinition[Any]:
    """The definition called ``name``.

    Raises:
        UnknownNameError: there is none; the message lists those that are.
    """
    if name not in GANS:
        raise UnknownNameError("gan", name, GANS)
    return GANS[name]
