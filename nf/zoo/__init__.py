"""FingerBench: which models there are, what determines each, and how to build them."""

from nf.zoo.build import build_model, is_built, remove_strangers
from nf.zoo.builder import ModelBuilder
from nf.zoo.fingerbench import fingerbench
from nf.zoo.packing import Packed, Unpacked, pack_models, unpack_models
from nf.zoo.recipes import ZooPlan
from nf.zoo.workers import ZooWorkers

__all__ = [
    "ModelBuilder",
    "Packed",
    "Unpacked",
    "ZooPlan",
    "ZooWorkers",
    "build_model",
    "fingerbench",
    "is_built",
    "pack_models",
    "remove_strangers",
    "unpack_models",
]
