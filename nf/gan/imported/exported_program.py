"""A generator of one's own: an exported program (``torch.export.save``) with a stated latent, range and classes.

TorchScript is deprecated in torch, so it is not read. Torch's reader would unpickle tensors, custom objects and sample
inputs where an archive asks for it: such an archive, or one with compiled code, is refused before anything is loaded.
"""

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import sha256_file
from nf.core.printing import first_line
from nf.core.sections import at_least
from nf.gan.definition import PRIORS, GanKind, ImageShape
from nf.gan.generator import Gan
from nf.gan.losses import Sign, hinge_naturalness_loss, wasserstein_naturalness_loss

# What torch.export.save writes for a program over plain tensors. Other names stand for pickles, TorchScript classes or
# compiled code.
_ENTRY = re.compile(
    r"models/\w+\.json|data/(weights|constants)/((weight|tensor)_\d+|\w+_config\.json)|data/sample_inputs/\w+\.pt"
    r"|\.data/(version|serialization_id)|archive_format|archive_version|byteorder"
)
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
        self.program = _load_program(path)
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


def _load_program(path: Path) -> nn.Module:
    _check_archive(path)
    try:
        return torch.export.load(path).module()
    except Exception as error:  # torch raises whatever the damage happens to lead to
        raise ArtifactError(f"{path} cannot be loaded as an exported program: {first_line(error)}") from error


def _check_archive(path: Path) -> None:
    """Refuse everything that is not plain data, by name and by what the archive's own tables say of its tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.partition("/")[2] for entry in archive.namelist()]
            tables = [json.loads(archive.read(entry)) for entry in archive.namelist() if entry.endswith("_config.json")]
            inputs = [archive.read(entry) for entry in archive.namelist() if "/data/sample_inputs/" in entry]
        payloads = [payload for table in tables for payload in table["config"].values()]
        pickled = any(payload["use_pickle"] for payload in payloads)
    except FileNotFoundError:
        raise ArtifactError(f"expected an exported program at {path}, found nothing") from None
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{path} is not an exported program ({first_line(error)}); write one with torch.export.save"
        ) from error
    strange = [name for name in names if not _ENTRY.fullmatch(name)]
    if strange or "archive_format" not in names:
        raise ArtifactError(
            f"{path}: expected what torch.export.save writes and nothing else, got {strange[0] if strange else names}; "
            "TorchScript, custom objects and compiled code are not read"
        )
    if pickled or not all(map(_is_plain, inputs)):
        raise ArtifactError(f"{path}: expected plain tensors, got pickled objects; pickles are not read")


def _is_plain(saved: bytes) -> bool:
    """Whether torch's reader of plain values takes ``saved``; if not, the reader of programs would unpickle it."""
    try:
        torch.load(io.BytesIO(saved), weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        return False
    return True
