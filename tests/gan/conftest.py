from pathlib import Path

import pytest
import torch

from nf.gan import train_gan
from nf.gan.sagan import SaganConfig

TINY = SaganConfig(
    latent_dim=4,
    generator_channels=8,
    discriminator_channels=8,
    steps=12,
    batch_size=8,
    d_steps=2,
    max_shift=1,
    ema_decay=0.9,
    ema_start=3,
    checkpoint_every=7,
)


@pytest.fixture(scope="session")
def tiny():
    """The smallest SAGAN that exercises every setting."""
    return TINY


@pytest.fixture(scope="session")
def shades():
    """Images of three classes: dark, grey and bright noise."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(30) % 3
    noise = torch.randint(20, (30, 1, 16, 16), generator=rng)
    return (labels[:, None, None, None] * 110 + noise).to(torch.uint8), labels


@pytest.fixture(scope="session")
def train(shades):
    """Train a tiny SAGAN on the shades; keywords change its config or the arguments of ``train_gan``."""
    images, labels = shades

    def run(folder: Path, config=TINY, **arguments):
        arguments = {"num_classes": 3, "seed": 1, **arguments}
        return train_gan("sagan", config, images, labels, folder=folder, **arguments)

    return run


@pytest.fixture(scope="session")
def trained(train, tmp_path_factory):
    """A tiny GAN and the folder that it was written to; tests leave both as they are."""
    folder = tmp_path_factory.mktemp("gan")
    return train(folder), folder
