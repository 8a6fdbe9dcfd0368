"""NaturalFinger takes any GAN: each of the registry, and one from outside."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from nf.core.errors import ConfigError
from nf.fingerprints import NaturalFinger, NaturalFingerConfig, TrainingModels
from nf.gan import GANS, Gan, ImageShape, ImportedConfig, import_gan

CONFIG = NaturalFingerConfig(
    candidates=40, max_rounds=4, epochs=25, learning_rate=10.0, confidence=2.0, epsilon=0.2, transforms=("identity",)
)


def untrained(name):
    definition = GANS[name]
    extra = {"embedding_dim": 8} if name in ("contragan", "reacgan") else {}
    config = definition.config(latent_dim=24, generator_channels=16, discriminator_channels=8, **extra)
    shape = ImageShape(16, 1, 10 if definition.conditional else 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = definition.generator(config, shape), definition.discriminator(config, shape)
    with torch.no_grad():
        networks[0].out.weight.mul_(20)  # an untrained generator is grey; models cannot be brought apart on grey images
    return Gan(definition, config, shape, *networks)


@pytest.fixture(scope="module")
def pair(models):
    """One thief and one independent model: all of them hardly ever agree on what an untrained generator makes."""
    return TrainingModels(models.source, models.positives[:1], models.negatives[:1], ("t1",), ("n1",))


@pytest.mark.parametrize("name", sorted(GANS))
@pytest.mark.parametrize("sign", ["corrected", "published"])
def test_queries_are_made_with_every_gan(name, sign, pair, digits):
    config = replace(CONFIG, gan=name, discriminator=sign)
    queries = NaturalFinger(config)(pair, digits, untrained(name), queries=2, seed=1)
    images = torch.from_numpy(queries.images).float() / 255
    for model in pair.positives:
        assert torch.equal(model(images).argmax(dim=1), torch.from_numpy(queries.labels))
    for model in pair.negatives:
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


def test_one_from_outside_works_without_its_discriminators_term(pair, digits, imported):
    config = replace(CONFIG, gan="mine", discriminator="none")
    queries = NaturalFinger(config)(pair, digits, imported, queries=2, seed=1)
    assert queries.card["gan"]["name"] == "mine"
    assert queries.card["gan"]["discriminator"] is None


def test_the_term_without_a_discriminator_is_refused_at_once(pair, digits, imported):
    with pytest.raises(ConfigError, match="discriminator: expected 'none', as the GAN 'mine' has no discriminator"):
        NaturalFinger(replace(CONFIG, gan="mine"))(pair, digits, imported, queries=2, seed=1)
