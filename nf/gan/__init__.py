"""GANs: one trainer for all, frozen samplers with images in [0, 1], quality in the eyes of a classifier."""

from nf.gan.artifacts import load_gan
from nf.gan.model import Gan
from nf.gan.quality import frechet_distance, sample_quality
from nf.gan.registry import GANS
from nf.gan.trainer import train_gan

__all__ = ["GANS", "Gan", "frechet_distance", "load_gan", "sample_quality", "train_gan"]
