"""GANs: one trainer for all, frozen samplers with images in [0, 1], quality in the eyes of a classifier."""

from nf.gan.artifacts import HISTORY_FILE, SHEETS_FOLDER, load_gan
from nf.gan.definition import ImageShape
from nf.gan.history import read_history
from nf.gan.imported import ImportedConfig
from nf.gan.imports import import_gan
from nf.gan.model import Gan
from nf.gan.quality import frechet_distance, precision_recall, sample_quality
from nf.gan.registry import GANS
from nf.gan.trainer import train_gan

__all__ = [
    "GANS",
    "HISTORY_FILE",
    "SHEETS_FOLDER",
    "Gan",
    "ImageShape",
    "ImportedConfig",
    "frechet_distance",
    "import_gan",
    "load_gan",
    "precision_recall",
    "read_history",
    "sample_quality",
    "train_gan",
]
