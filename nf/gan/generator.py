"""A trained GAN, frozen, with images in [0, 1]: what the rest of the project uses."""

from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from nf.core.errors import ConfigError
from nf.gan.definition import GanKind, ImageShape, draw_latents
from nf.gan.losses import Sign


class LatentConfig(Protocol):
    """A frozen dataclass with, among other settings, the length of a latent."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def latent_dim(self) -> int:
        """Dimensions of z."""
        ...


class Gan:
    """Generator and discriminator in evaluation mode, weights frozen; gradients reach latents and images only.

    Attributes:
        name: name of the GAN; for one that was trained here, its key in ``GANS``.
        config: hyper-parameters of its training, or, for an imported GAN, what was stated about it.
        shape: size and channels of its images, number of its classes.
        generator: network (z (N, latent_dim), labels (N,)) -> images in [-1, 1].
        discriminator: network (images in [-1, 1], labels (N,)) -> logits (N,); ``None`` for a GAN without one.
    """

    def __init__(
        self,
        kind: GanKind,
        config: LatentConfig,
        shape: ImageShape,
        generator: nn.Module,
        discriminator: nn.Module | None,
    ) -> None:
        self.name = kind.name
        self.config = config
        self.shape = shape
        self.generator = generator.eval().requires_grad_(False)
        self.discriminator = None if discriminator is None else discriminator.eval().requires_grad_(False)
        self._kind = kind

    @property
    def latent_dim(self) -> int:
        """Dimensions of z."""
        return self.config.latent_dim

    @property
    def num_classes(self) -> int:
        """Number of classes that images can be made for, 0 if the GAN knows no classes."""
        return self.shape.num_classes

    @property
    def device(self) -> torch.device:
        """Torch device of the weights."""
        return next((weight.device for weight in self.generator.state_dict().values()), torch.device("cpu"))

    def sample_latents(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw ``n`` latents and labels for ``generate``.

        Returns:
            z (n, latent_dim) float32 from the prior and labels (n,) int64, uniform over the classes.
        """
        z, labels = draw_latents(self._kind, self.latent_dim, self.shape, n, generator)
        return z.to(self.device), labels.to(self.device)

    def generate(self, z: Tensor, labels: Tensor) -> Tensor:
        """Images (n, C, H, W) float32 in [0, 1] for z (n, latent_dim) and labels (n,); differentiable in z."""
        images: Tensor = self.generator(z, labels)
        return (images + 1) / 2

    @torch.no_grad()
    def generate_in_batches(self, z: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """``generate`` for latents in consecutive parts of at most ``batch_size``, without gradients."""
        parts = zip(z.split(batch_size), labels.split(batch_size), strict=True)
        return torch.cat([self.generate(*part) for part in parts])

    def require_discriminator(self) -> nn.Module:
        """The discriminator, for work that needs one.

        Raises:
            ConfigError: the GAN has no discriminator.
        """
        if self.discriminator is None:
            raise ConfigError(
                f"discriminator: expected 'none', as the GAN {self.name!r} has no discriminator; say so in the section "
                "of the scheme, or import the GAN with one"
            )
        return self.discriminator

    def discriminate(self, images: Tensor, labels: Tensor) -> Tensor:
        """Logits (n,) of images (n, C, H, W) in [0, 1] with labels (n,), high for real; differentiable.

        Raises:
            ConfigError: the GAN has no discriminator.
        """
        logits: Tensor = self.require_discriminator()(2 * images - 1, labels)
        return logits

    def naturalness_loss(self, logits: Tensor, sign: Sign) -> Tensor:
        """L_D of NaturalFinger on discriminator logits (n,): (n,) losses; ``nf.gan.losses`` explains the signs."""
        return self._kind.naturalness_loss(logits, sign)
