"""A generator of one's own: an exported program (``torch.export.save``) with a stated latent, range and classes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from nf.core.errors import ConfigError
from nf.core.files import sha256_file
from nf.core.sections import at_least
from nf.gan.definition import PRIORS, GanKind, ImageShape
from nf.gan.generator import Gan
from nf.gan.losses import Sign, hinge_naturalness_loss, wasserstein_naturalness_loss
from nf.models import load_program

_NATURALNESS: dict[str, Callable[[Tensor, Sign], Tensor]] = {
    "hinge": hinge_naturalness_loss,
    "wasserstein": wasserstein_naturalness_loss,
}


@dataclass(frozen=True)
class ImportedConfig:
    """What the owner of a generator states about it.

    Attributes:
        latent_dim: number of dimensions of a latent z.
        prior: distribution of z: ``normal`` N(0, 1), or ``uniform`` in [-1, 1].
        low: pixel value that the generator gives for black.
        high: pixel value that the generator gives for white, above ``low``.
        loss: loss that the discriminator, if there is one, was trained with; it decides how naturalness is measured.
    """

    latent_dim: int
    prior: Literal["normal", "uniform"] = "normal"
    low: float = -1.0
    high: float = 1.0
    loss: Literal["hinge", "wasserstein"] = "hinge"

    def __post_init__(self) -> None:
        at_least(self, latent_dim=1)
        if not self.low < self.high:
            raise ConfigError(f"range: expected low below high, got {self.low} and {self.high}")


class _Program(nn.Module):
    """An exported program behind the signature of this package's networks.

    Args:
        path: file of the program.
        conditional: whether the program takes labels.
    """

    def __init__(self, path: Path, *, conditional: bool) -> None:
        super().__init__()
        self.program = load_program(path)[1]
        self.conditional = conditional
        # Its state distinguishes programs over the same weights.
        self.register_buffer("file", torch.frombuffer(bytearray.fromhex(sha256_file(path)), dtype=torch.uint8))

    def train(self, mode: bool = True) -> "_Program":
        """Do nothing: a program stays in the mode that it was exported in."""
        return self

    def run(self, x: Tensor, labels: Tensor) -> Tensor:
        """Call the program.

        Raises:
            TypeError: the program returns something other than one tensor.
        """
        output = self.program(x, labels) if self.conditional else self.program(x)
        if not isinstance(output, Tensor):
            raise TypeError(f"expected one tensor, got {type(output).__name__}")
        return output


class ImportedGenerator(_Program):
    """(z, labels) -> images, brought from [low, high] into [-1, 1]."""

    def __init__(self, path: Path, config: ImportedConfig, *, conditional: bool) -> None:
        super().__init__(path, conditional=conditional)
        self.low, self.high = config.low, config.high

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Images in [-1, 1]."""
        return 2 * (self.run(z, labels) - self.low) / (self.high - self.low) - 1


class ImportedDiscriminator(_Program):
    """(images, labels) -> logits, with images brought from [-1, 1] into [low, high]."""

    def __init__(self, path: Path, config: ImportedConfig, *, conditional: bool) -> None:
        super().__init__(path, conditional=conditional)
        self.low, self.high = config.low, config.high

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Logits (N,)."""
        return self.run(self.low + (images + 1) / 2 * (self.high - self.low), labels).flatten()


def build_imported(
    name: str, config: ImportedConfig, shape: ImageShape, generator: Path, discriminator: Path | None
) -> Gan:
    """Build the GAN ``name`` from program files, whose outputs are not checked yet.

    Raises:
        ArtifactError: a file is not an exported program, or holds more than data.
    """
    kind = GanKind(name, PRIORS[config.prior], _NATURALNESS[config.loss])
    conditional = shape.num_classes > 0
    second = ImportedDiscriminator(discriminator, config, conditional=conditional) if discriminator else None
    return Gan(kind, config, shape, ImportedGenerator(generator, config, conditional=conditional), second)
