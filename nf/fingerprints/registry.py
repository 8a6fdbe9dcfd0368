"""All schemes. To add one, write a file with a subclass of ``Scheme`` and add a line here."""

from collections.abc import Mapping
from typing import Any

from nf.core.errors import UnknownNameError
from nf.core.sections import parse_section
from nf.fingerprints.akh import Akh
from nf.fingerprints.base import Scheme
from nf.fingerprints.ipguard import IPGuard
from nf.fingerprints.metafinger import MetaFinger
from nf.fingerprints.metav import MetaV
from nf.fingerprints.naturalfinger.scheme import NaturalFinger
from nf.fingerprints.random_images import RandomImages

SCHEMES: dict[str, type[Scheme]] = {
    "naturalfinger": NaturalFinger,
    "ipguard": IPGuard,
    "metav": MetaV,
    "metafinger": MetaFinger,
    "akh": Akh,
    "random": RandomImages,
}


def make_scheme(name: str, section: Mapping[str, Any]) -> Scheme:
    """The scheme ``name`` with the hyper-parameters of its ``section`` in ``params.yaml``.

    Raises:
        UnknownNameError: there is no such scheme.
        ConfigError: the section has unknown keys or values that cannot be used.
    """
    if name not in SCHEMES:
        raise UnknownNameError("scheme", name, SCHEMES)
    scheme = SCHEMES[name]
    return scheme(parse_section(scheme.Config, section, f"schemes.{name}"))
