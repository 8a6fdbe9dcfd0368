"""Classifiers on disk: safetensors weights beside a JSON card that says how to build them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from nf.core.errors import ArtifactError
from nf.core.files import read_json, sha256_bytes, sha256_file, take_away, write_bytes, write_sealed
from nf.core.paths import CARD_FILE, WEIGHTS_FILE
from nf.models.classifier import Classifier
from nf.models.inference import to_safetensors
from nf.models.outside import build_outside
from nf.models.registry import build_classifier

BLACK_BOX = "black_box"
"""Key of ``build`` in the card of a model that only answers."""


def save_model(
    folder: Path, model: Classifier, build: Mapping[str, Any], card: Mapping[str, Any], *, half: bool = False
) -> dict[str, Any]:
    """Write weights, then the card, so that a folder with a card is complete.

    Args:
        folder: folder of the files; made if missing.
        model: model to save, on any device.
        build: arguments of ``build_network`` that build this model, without the seed.
        card: further entries of the card.
        half: whether filters and matrices are written as float16; exact after ``round_weights``. They are read back as
            float32.

    Returns:
        The whole card.

    Raises:
        ArtifactError: a file cannot be written.
    """
    data = to_safetensors(model.state_dict() | (_rounded(model) if half else {}))
    whole = {**card, "build": dict(build), "weights_sha256": sha256_bytes(data)}
    take_away(folder / CARD_FILE)
    write_bytes(folder / WEIGHTS_FILE, data)
    write_sealed(folder / CARD_FILE, whole)
    return whole


def build_network(build: Mapping[str, Any], *, seed: int | None) -> Classifier:
    """An untrained classifier: one of this project's, or a network from outside where ``build`` says which to open.

    Args:
        build: arguments of ``build_classifier`` or of ``build_outside``, without the seed.
        seed: seed of the initial weights; with ``None`` they are about to be filled in.

    Raises:
        ConfigError: an argument is out of its range, or the network cannot be opened.
    """
    return build_outside(**build, seed=seed) if "open" in build else build_classifier(**build, seed=seed)


def round_weights(model: Classifier) -> None:
    """Round filters and matrices of ``model``, in place, to values that float16 can hold."""
    model.load_state_dict(_rounded(model), strict=False)


def _rounded(model: Classifier) -> dict[str, torch.Tensor]:
    """Filters and matrices as float16. Biases and norms are few, and small variances would be lost."""
    return {name: weight.detach().half() for name, weight in model.named_parameters() if weight.ndim > 1}


def load_model(folder: Path) -> tuple[Classifier, dict[str, Any]]:
    """Rebuild the model in ``folder`` from its card.

    Returns:
        The model, on the CPU in eval mode, and its card.

    Raises:
        ArtifactError: a file is missing, or the weights do not match the card.
    """
    card = read_json(folder / CARD_FILE, advice="build the model with `nf zoo`")
    path = folder / WEIGHTS_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"expected weights at {path}: {error.strerror}; build the model with `nf zoo`") from error
    if sha256_bytes(data) != card.get("weights_sha256"):
        raise ArtifactError(f"{path} does not match the hash in its card; build the model again with `nf zoo`")
    try:
        if BLACK_BOX in card["build"]:
            raise ArtifactError(f"{folder} stands for a black box, which has no weights; open it as the source")
        model = build_network(card["build"], seed=None)
        model.load_state_dict(load(data), strict=True)
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} does not fit its card: {' '.join(str(error).split())}") from error
    return model.to(memory_format=torch.channels_last).eval(), card


def load_weights(model: Classifier, path: Path) -> Classifier:
    """Fill ``model`` with the weights in a safetensors file that came without a card.

    Args:
        model: network to fill, in place.
        path: safetensors file with all of the network's weights by name.

    Returns:
        The same model, in eval mode.

    Raises:
        ArtifactError: the file is missing, damaged, or has other weights than the architecture.
    """
    try:
        model.load_state_dict(load(path.read_bytes()), strict=True)
    except OSError as error:
        raise ArtifactError(f"expected weights at {path}: {error.strerror}") from error
    except (SafetensorError, RuntimeError) as error:
        raise ArtifactError(
            f"{path}: expected the weights of the zoo's source: {' '.join(str(error).split())}"
        ) from error
    return model.to(memory_format=torch.channels_last).eval()


def is_current(folder: Path, recipe: str) -> bool:
    """Whether ``folder`` holds a whole model made from ``recipe``, a hash of ``nf.core.lineage.recipe_hashes``.

    Raises:
        ArtifactError: it holds a model of that recipe whose weights are damaged or missing.
    """
    if not (folder / CARD_FILE).exists():
        return False
    card = read_json(folder / CARD_FILE)
    if card.get("recipe") != recipe:
        return False
    path = folder / WEIGHTS_FILE
    if not path.exists() or sha256_file(path) != card.get("weights_sha256"):
        raise ArtifactError(f"{path} is missing or does not match the hash in its card")
    return True
