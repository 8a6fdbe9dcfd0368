"""Fingerprint schemes: from a source model, training models, data and a GAN to a query set."""

from nf.fingerprints.akh import AkhConfig
from nf.fingerprints.base import Draft, Inputs, Scheme, Task, TrainingModels
from nf.fingerprints.naturalfinger.config import NaturalFingerConfig
from nf.fingerprints.naturalfinger.scheme import NaturalFinger
from nf.fingerprints.registry import SCHEMES, make_scheme
from nf.fingerprints.sheet import sheet

__all__ = [
    "SCHEMES",
    "AkhConfig",
    "Draft",
    "Inputs",
    "NaturalFinger",
    "NaturalFingerConfig",
    "Scheme",
    "Task",
    "TrainingModels",
    "make_scheme",
    "sheet",
]
