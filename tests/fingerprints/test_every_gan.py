"""NaturalFinger takes any GAN: each of the registry, and one from outside."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from nf.core.errors import ConfigError
from nf.fingerprints import NaturalFinger, NaturalFingerConfig
from nf.gan import GANS, Gan, ImageShape, ImportedConfig, import_gan

# Untrained generators make no digits: any image on which the models can be brought apart will do.
CONFIG = NaturalFingerConfig(
    candidates=40, max_rounds=6, epochs=12, learning_rate=20.0, label="random", transforms=("identity",)
)


def untrained(name):
    definition = GANS[name]
    extra = {"embedding_dim": 8} if name in ("contragan", "reacgan") else {}
    config = definition.config(latent_dim=24, generator_channels=16, discriminator_channels=8, **extra)
    shape = ImageShape(16, 1, 10 if definition.conditional else 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = definition.generator(config, shape), definition.discriminator(config, shape)
    return Gan(definition, config, shape, *networks)


@pytest.mark.parametrize("name", sorted(GANS))
@pytest.mark.parametrize("sign", ["corrected", "published"])
def test_queries_are_made_with_every_gan(name, sign, models, digits):
    config = replace(CONFIG, gan=name, discriminator=sign)
    queries = NaturalFinger(config)(models, digits, untrained(name), queries=2, seed=1)
    images = torch.from_numpy(queries.images).float() / 255
    for model in models.positives:
        assert torch.equal(model(images).argmax(dim=1), torch.from_numpy(queries.labels))
    for model in models.negatives:
        assert torch.equal(model(images).argmax(dim=1), torch.from_numpy(queries.negative_labels))
    assert queries.card["gan"]["name"] == name


class _Means(nn.Module):
    """The mean image of all digits, changed pixel by pixel."""

    def __init__(self, images):
        super().__init__()
        self.mean = nn.Parameter(images.float().mean(0) / 255)

    def forward(self, z):
        return (self.mean + 0.3 * z.reshape(-1, 1, 16, 16)).sigmoid()


@pytest.fixture
def imported(digits, tmp_path):
    program = torch.export.export(
        _Means(digits.images), (torch.rand(2, 256),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)
    )
    torch.export.save(program, tmp_path / "mine.pt2")
    config = ImportedConfig(latent_dim=256, low=0.0, high=1.0)
    return import_gan("mine", config, ImageShape(16, 1, 0), tmp_path / "mine.pt2", folder=tmp_path / "gan")


def test_one_from_outside_works_without_its_discriminators_term(models, digits, imported):
    config = replace(CONFIG, gan="mine", discriminator="none")
    queries = NaturalFinger(config)(models, digits, imported, queries=2, seed=1)
    assert queries.card["gan"]["name"] == "mine"
    assert queries.card["gan"]["discriminator"] is None


def test_the_term_without_a_discriminator_is_refused_at_once(models, digits, imported):
    with pytest.raises(ConfigError, match="discriminator: expected 'none', as the GAN 'mine' has no discriminator"):
        NaturalFinger(replace(CONFIG, gan="mine"))(models, digits, imported, queries=2, seed=1)
