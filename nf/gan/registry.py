"""The GANs by name. To add one: a file beside ``sagan.py`` and a line here."""

from typing import Any

from nf.core.errors import UnknownNameError
from nf.gan.definition import GanDefinition
from nf.gan.variants.contragan import CONTRAGAN
from nf.gan.variants.icrgan import ICRGAN
from nf.gan.variants.logan import LOGAN
from nf.gan.variants.reacgan import REACGAN
from nf.gan.variants.sagan import SAGAN
from nf.gan.variants.wgan_gp import WGAN_GP

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
        UnknownNameError: no GAN has this name; the message lists those that exist.
    """
    if name not in GANS:
        raise UnknownNameError("gan", name, GANS)
    return GANS[name]
