"""The one trainer of all GANs: state and steps, checkpoints, the loop."""

from nf.gan.training.state import Training
from nf.gan.training.train import train_gan

__all__ = [
    "Training",
    "train_gan",
]
