"""What makes one GAN: its hyper-parameters, its two networks and their losses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from nf.core.errors import ConfigError
from nf.core.sections import at_least, below_one, positive
from nf.gan.augment import translate
from nf.gan.losses import Sign

IMAGE_SIZES = (16, 32, 64, 128)
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class ImageShape:
    """The square images that a GAN is built for.

    Attributes:
        image_size: height and width in pixels.
        channels: number of channels: 1 (grey) or 3 (RGB).
        num_classes: number of classes; 0 for a GAN that knows no classes.

    Raises:
        ConfigError: a size or a number of channels that the networks are not made for.
    """

    image_size: int
    channels: int
    num_classes: int

    def __post_init__(self) -> None:
        if self.image_size not in IMAGE_SIZES:
            sizes = ", ".join(map(str, IMAGE_SIZES))
            raise ConfigError(f"expected square images of {sizes} pixels for a GAN, got {self.image_size}")
        if self.channels not in (1, 3):
            raise ConfigError(f"expected images of 1 or 3 channels for a GAN, got {self.channels}")

    @property
    def doublings(self) -> int:
        """Number of times that a map of 4x4 must double its side to be as large as the images."""
        return (self.image_size // 4).bit_length() - 1


@dataclass(frozen=True)
class GanConfig:
    """What all GANs have in common; the defaults are those of the smaller ones for CIFAR-10.

    Attributes:
        latent_dim: number of dimensions of a latent z.
        generator_channels: number of channels of the generator's feature maps, a multiple of 8.
        discriminator_channels: number of channels of the discriminator's feature maps, a multiple of 8.
        steps: number of updates of the generator.
        batch_size: number of images per update.
        d_steps: number of updates of the discriminator per update of the generator.
        learning_rate_g: Adam's learning rate for the generator.
        learning_rate_d: Adam's learning rate for the discriminator.
        beta1: Adam's decay of the first moment, in [0, 1).
        beta2: Adam's decay of the second moment, in [0, 1).
        flip: whether real images are mirrored at random.
        max_shift: longest random shift in pixels of all images that the discriminator is given, real and generated; it
            keeps a discriminator from learning a small data set by heart.
        ema_decay: decay in [0, 1) of the running average of the generator's weights, which becomes the trained
            generator; ``None`` takes the last weights instead.
        ema_start: number of the step at which the average begins.
        checkpoint_every: number of steps between two saved states, from which a killed run goes on, and between two
            rows of the history with a sheet of samples each.
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
"""Terms of a loss by name: scalars whose sum is minimised. The loss of the GAN itself is called ``adversarial``."""


@dataclass(frozen=True)
class GanPair(Generic[C]):
    """Generator and discriminator as the losses call them; images are in [-1, 1] here.

    Attributes:
        generator: network (z, labels) -> images.
        discriminator: network (images, labels) -> logits.
        config: hyper-parameters of the GAN.
        rng: source of the random shifts.
    """

    generator: nn.Module
    discriminator: nn.Module
    config: C
    rng: torch.Generator

    def generate(self, z: Tensor, labels: Tensor) -> Tensor:
        """Images (N, C, H, W) float32 in [-1, 1] for latents (N, latent_dim) and labels (N,)."""
        images: Tensor = self.generator(z, labels)
        return images.float()  # under autocast they come rounded

    def augment(self, images: Tensor) -> Tensor:
        """``images`` (N, C, H, W) as given to the discriminator: shifted at random by up to ``max_shift`` pixels."""
        return translate(images, self.config.max_shift, self.rng)

    def discriminate(self, images: Tensor, labels: Tensor) -> Tensor:
        """Logits (N,) of ``images`` (N, C, H, W) in [-1, 1] with ``labels`` (N,), after ``augment``."""
        logits: Tensor = self.discriminator(self.augment(images), labels)
        return logits


class DiscriminatorLoss(Protocol[C]):
    """The loss that a discriminator minimises."""

    def __call__(self, pair: GanPair[C], images: Tensor, labels: Tensor, z: Tensor, fake_labels: Tensor) -> Terms:
        """Compute the terms, differentiable with respect to the discriminator's weights.

        Args:
            pair: the two networks.
            images: (N, C, H, W) float32, real images in [-1, 1].
            labels: (N,) int64, classes of the real images.
            z: (N, latent_dim) latents of generated images.
            fake_labels: (N,) int64, classes of the generated images.
        """
        ...


class GeneratorLoss(Protocol[C]):
    """The loss that a generator minimises."""

    def __call__(self, pair: GanPair[C], z: Tensor, labels: Tensor) -> Terms:
        """Compute the terms, differentiable with respect to the generator's weights.

        Args:
            pair: the two networks.
            z: (N, latent_dim) latents of generated images.
            labels: (N,) int64, classes of the generated images.
        """
        ...


@dataclass(frozen=True)
class GanKind:
    """The properties of a GAN that matter once it is trained.

    Attributes:
        name: name of the GAN, for cards and messages.
        prior: function (n, latent_dim, generator) that draws (n, latent_dim) latents.
        naturalness_loss: function (logits (N,), sign) -> losses (N,), the term of fingerprints that fits the
            discriminator's loss.
    """

    name: str
    prior: Callable[[int, int, torch.Generator], Tensor]
    naturalness_loss: Callable[[Tensor, Sign], Tensor]


@dataclass(frozen=True, kw_only=True)
class GanDefinition(GanKind, Generic[C]):
    """One entry of ``GANS``: its name is the key. G is the generator, D the discriminator.

    Attributes:
        config: dataclass of the GAN's section in ``params.yaml``.
        conditional: whether images are made for a class; if not, the networks know no classes and all labels are 0.
        generator: function (config, shape) that builds G: (z (N, latent_dim), labels (N,)) -> images in [-1, 1].
        discriminator: function (config, shape) that builds D: (images in [-1, 1], labels (N,)) -> logits (N,).
        spectral_generator: whether the weights of G are held at spectral norm 1 while it trains.
        spectral_discriminator: whether the weights of D are held at spectral norm 1 while it trains.
        d_loss: loss that D minimises.
        g_loss: loss that G minimises.
        graph_capturable: whether an update can be recorded as a CUDA graph if images are not shifted: neither loss
            draws random numbers or differentiates twice.
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
    """Generator and discriminator whose weights are left to be filled in; torch's global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return definition.generator(config, shape), definition.discriminator(config, shape)


def draw_latents(
    kind: GanKind, latent_dim: int, shape: ImageShape, n: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw latents and labels on the device of ``rng``.

    Args:
        kind: GAN whose prior is drawn from.
        latent_dim: number of dimensions of a latent.
        shape: images of the GAN, for the number of classes.
        n: number of latents.
        rng: source of the draws.

    Returns:
        (n, latent_dim) float32, and (n,) int64 uniform over the classes, or all 0 if there are no classes.
    """
    z = kind.prior(n, latent_dim, rng)
    return z, torch.randint(max(shape.num_classes, 1), (n,), generator=rng, device=rng.device)
