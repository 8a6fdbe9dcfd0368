"""Trained detectors as files: the weights of all, and a card that says how they were trained and how good they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from nf.core.errors import ArtifactError
from nf.core.files import read_json, restore, sha256_bytes, take_away, write_bytes, write_sealed
from nf.core.paths import CARD_FILE, WEIGHTS_FILE
from nf.detection.detector import build_detector


def save_detectors(folder: Path, detectors: Mapping[str, Sequence[nn.Module]], card: Mapping[str, Any]) -> None:
    """Write weights, then the card: a folder with a card is whole.

    Args:
        folder: folder of the files; made if missing.
        detectors: detectors by kind, at least one of each.
        card: further entries of the card.

    Raises:
        ArtifactError: a file cannot be written.
    """
    weights = {
        f"{kind}.{number}.{name}": tensor.cpu().contiguous()
        for kind, networks in detectors.items()
        for number, network in enumerate(networks)
        for name, tensor in network.state_dict().items()
    }
    data = save(weights)
    runs = {kind: len(networks) for kind, networks in detectors.items()}
    take_away(folder / CARD_FILE)
    write_bytes(folder / WEIGHTS_FILE, data)
    write_sealed(folder / CARD_FILE, {**card, "runs": runs, "weights_sha256": sha256_bytes(data)})


def load_detectors(folder: Path, device: str = "cpu") -> tuple[dict[str, list[nn.Module]], dict[str, Any]]:
    """Read the detectors in ``folder``.

    Returns:
        Detectors by kind, in eval mode on ``device``, and their card.

    Raises:
        ArtifactError: a file is missing or damaged, or the weights do not match the card.
    """
    card, path = read_json(folder / CARD_FILE, advice="run `nf detectors GAN`"), folder / WEIGHTS_FILE
    try:
        data = path.read_bytes()
        if sha256_bytes(data) != card["weights_sha256"]:
            raise ArtifactError(
                f"{path} does not match the hash in its card; {restore(folder)} or run `nf detectors GAN`"
            )
        weights = load(data)
        detectors = {
            kind: [_rebuild(weights, f"{kind}.{number}.").to(device) for number in range(count)]
            for kind, count in card["runs"].items()
        }
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        raise ArtifactError(f"{folder} does not hold detectors ({error}); run `nf detectors GAN`") from error
    return detectors, card


def _rebuild(weights: Mapping[str, torch.Tensor], prefix: str) -> nn.Module:
    own = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    detector = build_detector(own["0.weight"].shape[1], seed=0)
    detector.load_state_dict(own)
    return detector.eval()
