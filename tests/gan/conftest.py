from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nf.gan import GANS, train_gan
from nf.gan.definition import ImageShape

SETTINGS = {
    "latent_dim": 12,
    "generator_channels": 8,
    "discriminator_channels": 8,
    "steps": 12,
    "batch_size": 8,
    "d_steps": 2,
    "max_shift": 1,
    "ema_decay": 0.9,
    "ema_start": 3,
    "checkpoint_every": 7,
}
EXTRA = {"contragan": {"embedding_dim": 8}, "reacgan": {"embedding_dim": 8}}


def tiny_config(name):
    return GANS[name].config(**SETTINGS, **EXTRA.get(name, {}))


def shape_for(name, image_size=16, channels=1, classes=3):
    return ImageShape(image_size, channels, classes if GANS[name].conditional else 0)


@pytest.fixture(scope="session")
def tiny():
    """The smallest SAGAN that exercises every setting."""
    return tiny_config("sagan")


@pytest.fixture(scope="session")
def tiny_of():
    """The smallest config of a GAN by name that exercises every setting."""
    return tiny_config


@pytest.fixture(scope="session")
def networks():
    """(GAN, what ``ImageShape`` takes) -> its config, shape, generator and discriminator, untrained."""

    def build(name, *shape):
        torch.manual_seed(0)
        form = shape_for(name, *shape)
        config = replace(tiny_config(name), latent_dim=60 if form.image_size > 32 else 12)  # a part for each block
        return config, form, GANS[name].generator(config, form), GANS[name].discriminator(config, form)

    return build


@pytest.fixture(scope="session")
def shades():
    """Images of three classes: dark, grey and bright noise."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(30) % 3
    noise = torch.randint(20, (30, 1, 16, 16), generator=rng)
    return (labels[:, None, None, None] * 110 + noise).to(torch.uint8), labels


@pytest.fixture(scope="session")
def train(shades):
    """Train a tiny GAN, by default SAGAN, on the shades; keywords go to ``train_gan``."""
    own = dict(zip(("images", "labels"), shades, strict=True))

    def run(folder: Path, config=None, *, name="sagan", **arguments):
        arguments = {**own, "num_classes": 3, "seed": 1, **arguments}
        return train_gan(name, config or tiny_config(name), folder=folder, **arguments)

    return run


@pytest.fixture(scope="session")
def trained(train, tmp_path_factory):
    """A tiny GAN and the folder that it was written to; tests leave both as they are."""
    folder = tmp_path_factory.mktemp("gan")
    return train(folder), folder


@pytest.fixture(scope="session")
def train_until(train):
    """Train as ``train`` does, and die at ``step``."""

    class Killed(BaseException):
        pass

    def run(folder: Path, step: int, **arguments):
        def progress(now, steps, losses):
            if now == step:
                raise Killed

        with pytest.raises(Killed):
            train(folder, progress=progress, **arguments)

    return run
