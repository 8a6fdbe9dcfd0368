"""GANs: one trainer for all, frozen samplers with images in [0, 1], quality measured with a classifier's features."""

from nf.gan.artifacts import gan_digest, load_gan, read_history
from nf.gan.definition import IMAGE_SIZES, ImageShape
from nf.gan.generator import Gan
from nf.gan.imported import ImportedConfig, import_gan
from nf.gan.quality import frechet_distance, precision_recall, sample_quality
from nf.gan.registry import GANS, find_gan
from nf.gan.training import Training, train_gan

__all__ = [
    "GANS",
    "IMAGE_SIZES",
    "Gan",
    "ImageShape",
    "ImportedConfig",
    "Training",
    "find_gan",
    "frechet_distance",
    "gan_digest",
    "import_gan",
    "load_gan",
    "precision_recall",
    "read_history",
    "sample_quality",
    "train_gan",
]
