"""What makes one GAN: its hyper-parameters, its networks and what the two players minimise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from nf.core.errors import ConfigError
from nf.core.sections import at_least, below_one, positive
from nf.gan.augment import translate
from nf.gan.losses import Sign

IMAGE_SIZES = (16, 32)
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class ImageShape:
    """The images that a GAN is built for: square, ``num_classes`` is 0 for a GAN that knows no classes.

    Raises:
        ConfigError: a size or a number of channels that the networks are not made for.
    """

    image_size: int
    channels: int
    num_classes: int

    def __post_init__(self) -> None:
        if self.image_size not in IMAGE_SIZES:
            raise ConfigError(f"expected square images of 16 or 32 pixels for a GAN, got {self.image_size}")
        if self.channels not in (1, 3):
            raise ConfigError(f"expected images of 1 or 3 channels for a GAN, got {self.channels}")

    @property
    def doublings(self) -> int:
        """How often a map of 4x4 doubles until it is as large as the images."""
        return (self.image_size // 4).bit_length() - 1


@dataclass(frozen=True)
class GanConfig:
    """What all GANs have in common; the defaults are those of the smaller ones for CIFAR-10.

    Attributes:
        latent_dim: dimensions of z.
        generator_channels: width of the generator's feature maps, a multiple of 8.
        discriminator_channels: width of the discriminator's.
        steps: updates of the generator.
        batch_size: images per update.
        d_steps: updates of the discriminator per update of the generator.
        learning_rate_g: Adam's rate for the generator.
        learning_rate_d: Adam's rate for the discriminator.
        beta1: Adam's decay of the first moment.
        beta2: Adam's decay of the second moment.
        flip: mirror real images at random.
        max_shift: shift all images that the discriminator sees, real and generated, by up to so many pixels; it keeps
            a discriminator from learning a small data set by heart.
        ema_decay: decay of the average of the generator's weights that is kept in its place; ``None`` keeps the last.
        ema_start: step at which the average begins.
        checkpoint_every: steps between two saved states, from which a killed run goes on, and between two rows of the
            history with a sheet of samples each.
        precision: ``float32``, or ``bfloat16`` for autocast where the processor has it: nearly twice as fast.
    """

    latent_dim: int = 128
    generator_channels: int = 256
    discriminator_channels: int = 128
    steps: int = 20_000
    batch_size: int = 64
    d_steps: int = 5
    learning_rate_g: float = 2e-4
    learning_rate_d: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    flip: bool = True
    max_shift: int = 0
    ema_decay: float | None = None
    ema_start: int = 1_000
    checkpoint_every: int = 1_000
    precision: str = "float32"

    def __post_init__(self) -> None:
        at_least(self, latent_dim=1, steps=1, batch_size=1, d_steps=1, checkpoint_every=1, max_shift=0, ema_start=0)
        positive(self, "learning_rate_g", "learning_rate_d")
        below_one(self, "beta1", "beta2", "ema_decay")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision: expected one of {', '.join(PRECISIONS)}, got {self.precision!r}")


C = TypeVar("C", bound=GanConfig)

Terms = Mapping[str, Tensor]
"""The terms of a loss by name: scalars whose sum is minimised. The players' own is called ``adversarial``."""


@dataclass(frozen=True)
class GanPair(Generic[C]):
    """The two players, as the losses see them; images are in [-1, 1] here."""

    generator: nn.Module
    discriminator: nn.Module
    config: C
    rng: torch.Generator

    def generate(self, z: Tensor, labels: Tensor) -> Tensor:
        """Images (N, C, H, W) float32 for latents (N, latent_dim) and labels (N,)."""
        images: Tensor = self.generator(z, labels)
        return images.float()  # under autocast they come rounded

    def augment(self, images: Tensor) -> Tensor:
        """Images as the discriminator sees them: each shifted at random where the config says so."""
        return translate(images, self.config.max_shift, self.rng)

    def discriminate(self, images: Tensor, labels: Tensor) -> Tensor:
        """Logits (N,) of images, shifted first."""
        logits: Tensor = self.discriminator(self.augment(images), labels)
        return logits


class DiscriminatorLoss(Protocol[C]):
    """What a discriminator pays on real ``images`` of ``labels`` and fakes made of ``z`` and ``fake_labels``."""

    def __call__(self, pair: GanPair[C], images: Tensor, labels: Tensor, z: Tensor, fake_labels: Tensor) -> Terms:
        """The terms, differentiable with respect to the discriminator's weights."""
        ...


class GeneratorLoss(Protocol[C]):
    """What a generator pays on fakes made of ``z`` and ``labels``."""

    def __call__(self, pair: GanPair[C], z: Tensor, labels: Tensor) -> Terms:
        """The terms, differentiable with respect to the generator's weights."""
        ...


@dataclass(frozen=True)
class GanKind:
    """What a trained GAN is used by.

    Attributes:
        name: what it is called.
        prior: draws (n, latent_dim) latents.
        naturalness_loss: (logits (N,), sign) -> (N,), the term of fingerprints that fits its discriminator's loss.
    """

    name: str
    prior: Callable[[int, int, torch.Generator], Tensor]
    naturalness_loss: Callable[[Tensor, Sign], Tensor]


@dataclass(frozen=True, kw_only=True)
class GanDefinition(GanKind, Generic[C]):
    """One entry of ``GANS``: its name is the key.

    Attributes:
        config: the dataclass of its section in ``params.yaml``.
        conditional: images are made for a class; without, the networks get no classes and labels are all 0.
        generator: builds G: (z (N, latent_dim), labels (N,)) -> images in [-1, 1].
        discriminator: builds D: (images in [-1, 1], labels (N,)) -> logits (N,).
        spectral_generator: hold G's weights at spectral norm 1 while it trains.
        spectral_discriminator: likewise for D.
        d_loss: what D minimises.
        g_loss: what G minimises.
        draws_before: neither loss draws random numbers besides shifts, so that on a GPU an update can be recorded.
    """

    config: type[C]
    conditional: bool
    generator: Callable[[C, ImageShape], nn.Module]
    discriminator: Callable[[C, ImageShape], nn.Module]
    spectral_generator: bool
    spectral_discriminator: bool
    d_loss: DiscriminatorLoss[C]
    g_loss: GeneratorLoss[C]
    graph_capturable: bool


def normal_prior(n: int, latent_dim: int, rng: torch.Generator) -> Tensor:
    """(n, latent_dim) draws of N(0, 1), on the device of ``rng``."""
    return torch.randn(n, latent_dim, generator=rng, device=rng.device)


def uniform_prior(n: int, latent_dim: int, rng: torch.Generator) -> Tensor:
    """(n, latent_dim) draws, uniform in [-1, 1), on the device of ``rng``."""
    return torch.rand(n, latent_dim, generator=rng, device=rng.device) * 2 - 1


PRIORS = {"normal": normal_prior, "uniform": uniform_prior}


def build_networks(definition: GanDefinition[C], config: C, shape: ImageShape) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with weights still to be filled in; torch's global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return definition.generator(config, shape), definition.discriminator(config, shape)


def draw_latents(
    kind: GanKind, latent_dim: int, shape: ImageShape, n: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Latents (n, latent_dim) of the prior and labels (n,) int64, uniform over the classes; all 0 if there are none."""
    z = kind.prior(n, latent_dim, rng)
    return z, torch.randint(max(shape.num_classes, 1), (n,), generator=rng, device=rng.device)
