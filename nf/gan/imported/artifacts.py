"""Generators of one's own as artifacts: checked on entry, copied, and read like the GANs that were trained here."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import sha256_file, take_away, write_bytes, write_sealed
from nf.core.paths import CARD_FILE, SAMPLES_FILE
from nf.core.sections import parse_section
from nf.gan.definition import ImageShape
from nf.gan.generator import Gan
from nf.gan.imported.exported_program import ImportedConfig, build_imported
from nf.gan.imported.validate import inspect_gan
from nf.gan.registry import GANS
from nf.gan.samples import save_samples


def import_gan(
    name: str,
    config: ImportedConfig,
    shape: ImageShape,
    generator: Path,
    *,
    folder: Path,
    discriminator: Path | None = None,
    seed: int = 0,
) -> Gan:
    """Check an exported generator and write it into ``folder``, from where ``load_gan`` reads it.

    Args:
        name: name of the new GAN, which must not be a key of ``GANS``.
        config: stated properties: its latent, its range and its discriminator's loss.
        shape: images that the generator makes; ``num_classes`` is 0 for a generator that takes no labels.
        generator: file of an exported program (z (N, latent_dim)[, labels (N,)]) -> images (N, C, H, W) in the stated
            range.
        folder: folder that gets ``generator.pt2``, ``discriminator.pt2`` if there is one, ``card.json`` and
            ``samples.png``.
        discriminator: file of an exported program (images (N, C, H, W) in the stated range[, labels (N,)]) -> logits
            (N,); ``None`` if there is no discriminator.
        seed: seed of the sheet of samples.

    Returns:
        The frozen GAN, on the CPU.

    Raises:
        ConfigError: the name is taken or cannot be a folder's.
        ArtifactError: a file is not an exported program, or does not do what was stated.
    """
    if name in GANS or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ConfigError(f"name: expected small letters, digits, _ and -, and none of {', '.join(GANS)}, got {name!r}")
    inspect_gan(build_imported(name, config, shape, generator, discriminator))
    take_away(folder / CARD_FILE)
    sources = {"generator": generator} | ({"discriminator": discriminator} if discriminator else {})
    for role, source in sources.items():
        write_bytes(_program_path(folder, role), source.read_bytes())
    card = {
        "name": name,
        "imported": asdict(config),
        "shape": asdict(shape),
        "torch": torch.__version__,
        "sha256": {role: sha256_file(_program_path(folder, role)) for role in sources},
    }
    gan = load_imported(card, folder)
    save_samples(gan, folder / SAMPLES_FILE, seed)
    write_sealed(folder / CARD_FILE, card)
    return gan


def load_imported(card: Mapping[str, Any], folder: Path) -> Gan:
    """Read an imported GAN.

    Args:
        card: the GAN's ``card.json``.
        folder: folder of its programs.

    Raises:
        ArtifactError: a file is missing or damaged, or does not match the hash in the card.
    """
    try:
        config = parse_section(ImportedConfig, card["imported"], "imported")
        shape = parse_section(ImageShape, card["shape"], "shape")
        name, digests = str(card["name"]), dict(card["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"the card in {folder} is not that of a GAN: {error}; import it again") from error
    paths = {role: _program_path(folder, role) for role in digests}
    for role, path in paths.items():
        if not path.is_file():
            raise ArtifactError(f"expected a program at {path}, found nothing; import the GAN again")
        if sha256_file(path) != digests[role]:
            raise ArtifactError(f"{path} does not match the SHA-256 in its card; import the GAN again")
    return build_imported(name, config, shape, _program_path(folder, "generator"), paths.get("discriminator"))


def _program_path(folder: Path, role: str) -> Path:
    return folder / f"{role}.pt2"
