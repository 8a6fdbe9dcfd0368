"""Images: where they come from, how they are split, how they are augmented."""

from nf.data.augment import Augment
from nf.data.pixels import to_bytes, to_float
from nf.data.sources import LabelledImages, RawData, read_source
from nf.data.splits import KNOCKOFF, SPLIT_NAMES, Splits, prepare_splits

__all__ = [
    "KNOCKOFF",
    "SPLIT_NAMES",
    "Augment",
    "LabelledImages",
    "RawData",
    "Splits",
    "prepare_splits",
    "read_source",
    "to_bytes",
    "to_float",
]
