"""NaturalFinger (the paper), a file for each step: ``select``, ``optimise``, ``screen``, ``choose``."""

from nf.fingerprints.naturalfinger.config import NaturalFingerConfig
from nf.fingerprints.naturalfinger.scheme import NaturalFinger

__all__ = ["NaturalFinger", "NaturalFingerConfig"]
