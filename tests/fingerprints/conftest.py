"""Real, tiny models: a source, thieves that learned its answers, independent models, and a GAN that is a PCA."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from nf.data import to_float
from nf.fingerprints import Inputs, TrainingModels
from nf.gan import Gan
from nf.gan.definition import ImageShape
from nf.gan.variants.sagan import SAGAN, SaganConfig

COMPONENTS = 24


def build_network(seed: int, width: int = 8, classes: int = 10) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, stride=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1, stride=2, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * 16, classes),
        ).eval()


def train(network: nn.Module, images: Tensor, labels: Tensor, seed: int, epochs: int = 4) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    weights = list(network.parameters())
    network.train()
    for _ in range(epochs):
        for index in torch.randperm(len(images), generator=generator).split(32):
            loss = functional.cross_entropy(network(to_float(images[index])), labels[index])
            for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                weight.data -= 0.1 * gradient
    return network.eval()


class PcaGenerator(nn.Module):
    """Class mean plus principal components, squashed into [-1, 1]."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        super().__init__()
        flat = to_float(images).flatten(1)
        means = torch.stack([flat[labels == label].mean(dim=0) for label in range(10)])
        _, scale, directions = np.linalg.svd((flat - means[labels]).numpy(), full_matrices=False)
        basis = torch.from_numpy(scale[:COMPONENTS, None] * directions[:COMPONENTS]) / len(flat) ** 0.5
        self.means, self.basis = nn.Parameter(means), nn.Parameter(basis)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        pixels = self.means[labels] + z @ self.basis
        return torch.tanh(2 * pixels - 1).reshape(-1, 1, 16, 16)


class Judge(nn.Module):
    """A discriminator that takes bright images for real ones."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(5.0))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.scale * (images.mean(dim=(1, 2, 3)) + 0.4)


@pytest.fixture(scope="session")
def small_network() -> Callable[..., nn.Module]:
    return build_network


@pytest.fixture(scope="session")
def digits() -> Inputs:
    bunch = load_digits()
    pixels = torch.from_numpy(bunch.images / 16).float()[:, None]
    large = functional.interpolate(pixels, size=(16, 16), mode="bilinear", align_corners=False)
    images, labels = (large * 255).round().to(torch.uint8), torch.from_numpy(bunch.target).long()
    return Inputs(images[:1200], labels[:1200], images[1200:], labels[1200:], 10)


@pytest.fixture(scope="session")
def models(digits: Inputs) -> TrainingModels:
    mine, theirs = slice(0, 600), slice(600, 1200)
    source = train(build_network(0, width=12), digits.images[mine], digits.labels[mine], seed=0)
    with torch.no_grad():
        answers = source(to_float(digits.images[mine])).softmax(dim=1)
    thieves = tuple(train(build_network(seed), digits.images[mine], answers, seed) for seed in (1, 2, 3))
    independents = tuple(
        train(build_network(seed), digits.images[theirs], digits.labels[theirs], seed) for seed in (4, 5, 6)
    )
    return TrainingModels(source, thieves, independents, ("t1", "t2", "t3"), ("n1", "n2", "n3"))


@pytest.fixture(scope="session")
def make_gan() -> Callable[[nn.Module, nn.Module, int], Gan]:
    def build(generator: nn.Module, discriminator: nn.Module, latent_dim: int) -> Gan:
        return Gan(SAGAN, SaganConfig(latent_dim=latent_dim), ImageShape(16, 1, 10), generator, discriminator)

    return build


@pytest.fixture(scope="session")
def gan(digits: Inputs, make_gan: Callable[[nn.Module, nn.Module, int], Gan]) -> Gan:
    return make_gan(PcaGenerator(digits.images, digits.labels), Judge(), COMPONENTS)
