"""A trained GAN as files: weights of both networks, a card, contact sheets, and how the training went."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import read_csv, read_json, restore, sha256_bytes, sha256_json, write_bytes, write_csv, write_sealed
from nf.core.paths import CARD_FILE, DISCRIMINATOR_FILE, GENERATOR_FILE, SAMPLES_FILE
from nf.core.sections import parse_section
from nf.gan.definition import ImageShape, build_networks
from nf.gan.generator import Gan
from nf.gan.imported.artifacts import load_imported
from nf.gan.registry import find_gan
from nf.gan.samples import save_samples

_FILES = {"generator": GENERATOR_FILE, "discriminator": DISCRIMINATOR_FILE}


def save_gan(gan: Gan, folder: Path, *, seed: int, images: int, identity: str) -> None:
    """Write the weights of ``gan``, a sheet of samples and, last, the card: a folder with a card is whole.

    Args:
        gan: the trained GAN.
        folder: folder of the files; made if missing.
        seed: root seed of the training, for the sheet and the card.
        images: number of training images, for the card.
        identity: hash of all that the training's result depends on, for the card.

    Raises:
        ArtifactError: a file cannot be written.
    """
    config = asdict(gan.config)
    card: dict[str, Any] = {
        "name": gan.name,
        "config": config,
        "shape": asdict(gan.shape),
        "seed": seed,
        "images": images,
        "identity": identity,
        "steps": config["steps"],
        "torch": torch.__version__,
        "parameters": {},
        "sha256": {},
    }
    for name in _FILES:
        network: nn.Module = getattr(gan, name)
        data = save({key: value.cpu().contiguous() for key, value in network.state_dict().items()})
        write_bytes(folder / _FILES[name], data)
        card["parameters"][name] = sum(parameter.numel() for parameter in network.parameters())
        card["sha256"][name] = sha256_bytes(data)
    save_samples(gan, folder / SAMPLES_FILE, seed)
    write_sealed(folder / CARD_FILE, card)


def gan_digest(folder: Path) -> str:
    """SHA-256 of the card of the GAN in ``folder``, which has its settings and the hashes of its weights.

    Raises:
        ArtifactError: the card is missing or damaged.
    """
    return sha256_json(read_json(folder / CARD_FILE, advice=f"train the GAN with `nf gan {folder.name}`"))


def load_gan(folder: Path, device: str = "cpu") -> Gan:
    """Read a GAN that ``train_gan`` or ``import_gan`` wrote.

    Args:
        folder: folder of the GAN's files.
        device: torch device that the weights are put on.

    Returns:
        The frozen GAN.

    Raises:
        ArtifactError: a file is missing or damaged, or does not match the hash in the card.
    """
    card = read_json(folder / CARD_FILE, advice=f"train the GAN with `nf gan {folder.name}`")
    if "imported" in card:
        gan = load_imported(card, folder)
        for network in filter(None, (gan.generator, gan.discriminator)):
            network.to(device)
        return gan
    try:
        definition = find_gan(card["name"])
        config = parse_section(definition.config, card["config"], "config")
        shape = parse_section(ImageShape, card["shape"], "shape")
        digests = {name: str(card["sha256"][name]) for name in _FILES}
    except (KeyError, TypeError, ConfigError) as error:
        raise ArtifactError(f"{folder / CARD_FILE} is not the card of a GAN: {error}; train it again") from error
    networks = build_networks(definition, config, shape)
    for name, network in zip(_FILES, networks, strict=True):
        _load_weights(network, folder / _FILES[name], digests[name])
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Gan(definition, config, shape, *networks)


def _load_weights(network: nn.Module, path: Path, digest: str) -> None:
    try:
        data = path.read_bytes()
        if sha256_bytes(data) != digest:
            raise ArtifactError(
                f"{path} does not match the SHA-256 in its card; {restore(path.parent)} or train it again"
            )
        network.load_state_dict(load(data))
    except FileNotFoundError:
        raise ArtifactError(f"expected weights at {path}, found nothing; run `nf gan {path.parent.name}`") from None
    except RuntimeError:
        raise ArtifactError(f"{path} does not fit the network that its card describes; train it again") from None
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{path} is damaged ({error}); {restore(path.parent)} or train it again") from error


class History:
    """How a training went, as rows of a CSV file.

    Attributes:
        path: CSV file, which always holds all rows.
        rows: numbers by the name of their column; the first column is ``step``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def add(self, step: int, numbers: dict[str, float]) -> None:
        """Append the row of ``numbers`` at ``step`` and write the file.

        Raises:
            ArtifactError: the file cannot be written.
        """
        self.rows.append({"step": step, **numbers})
        rows = ([round(value, 6) for value in row.values()] for row in self.rows)
        write_csv(self.path, self.rows[0], rows)


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows that a ``History`` wrote, in order.

    Raises:
        ArtifactError: the file is missing or damaged.
    """
    return read_csv(path, float, advice=f"run `nf gan {path.parent.name}`")
