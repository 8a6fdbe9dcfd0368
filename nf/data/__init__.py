"""Images: where they come from, how they are split, how they are augmented."""

from nf.data.augment import Augment
from nf.data.pixels import to_bytes, to_float
from nf.data.sources import LabelledImages, RawData, image_files, read_source, source_digests, sub_folders
from nf.data.splits import KNOCKOFF, SPLIT_NAMES, Splits, hold_back, prepare_splits

__all__ = [
    "KNOCKOFF",
    "SPLIT_NAMES",
    "Augment",
    "LabelledImages",
    "RawData",
    "Splits",
    "hold_back",
    "image_files",
    "prepare_splits",
    "read_source",
    "source_digests",
    "sub_folders",
    "to_bytes",
    "to_float",
]
