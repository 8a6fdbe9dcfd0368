"""FingerBench: which models there are, what determines each, and how to build them."""

from nf.zoo.build import OpenSource, build_model, is_built, remove_unlisted
from nf.zoo.checks import IMAGES_PER_PART, check_attacks
from nf.zoo.fingerbench import fingerbench
from nf.zoo.packing import PIECE_BYTES, Packed, Unpacked, pack_models, unpack_models
from nf.zoo.plan import ZooPlan
from nf.zoo.workers import ModelBuilder, ZooWorkers

__all__ = [
    "IMAGES_PER_PART",
    "PIECE_BYTES",
    "ModelBuilder",
    "OpenSource",
    "Packed",
    "Unpacked",
    "ZooPlan",
    "ZooWorkers",
    "build_model",
    "check_attacks",
    "fingerbench",
    "is_built",
    "pack_models",
    "remove_unlisted",
    "unpack_models",
]
