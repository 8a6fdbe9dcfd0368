"""Stage ``detectors``: detectors of a thief who has seen no query (paper, section 4.5), the same for every scheme."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nf.core.paths import CARD_FILE
from nf.core.sections import parse_section
from nf.core.seeds import derive_seed
from nf.data import Splits, to_bytes
from nf.detection import (
    DetectorConfig,
    abnormal_share,
    fgsm_images,
    noisy_images,
    save_detectors,
    train_detector,
)
from nf.gan import Gan, find_gan, load_gan, train_gan
from nf.models import resolve_device, weights_hash
from nf.stages.own_model import load_source, require_gradients
from nf.stages.run import Run

DetectorTrainingSet = tuple[Tensor, dict[str, Tensor]]
"""Abnormal images to learn from, and held-out ones by kind."""

_HELD_OUT_SAMPLES = 256


def detectors(run: Run, gan: str) -> Path:
    """Train detectors for the queries that the GAN called ``gan`` draws, and return their folder.

    ``naive`` ones learn from noise and FGSM (the paper's), ``other_gan`` ones from samples of another GAN. Normal
    images are the fine-tuning split; the card has the accuracies on the test split and on further abnormal images.

    Raises:
        ArtifactError: the images, the source model or a GAN is missing or damaged.
        ConfigError: the section ``detection`` cannot be used.
    """
    config = parse_section(DetectorConfig, run.profile.detection, "detection")
    splits = Splits.load(run.layout.data)
    device = resolve_device(run.profile.execution.device)
    normal, held_out = (torch.from_numpy(splits[name].images).to(device) for name in ("finetune", "test"))
    source = load_source(run.layout).to(device)
    require_gradients(source, "detectors")
    attacked = [fgsm_images(source, part, epsilon=config.epsilon) for part in (normal, held_out)]
    other = _other_gan(run, gan, splits, device)

    def naive(generator: torch.Generator) -> DetectorTrainingSet:
        noisy = [noisy_images(part, std=config.noise, generator=generator) for part in (normal, held_out)]
        return torch.cat([noisy[0], attacked[0]]), {"noise": noisy[1], "fgsm": attacked[1]}

    def other_gan(generator: torch.Generator) -> DetectorTrainingSet:
        known, unknown = (_samples(other, count, generator) for count in (len(normal), _HELD_OUT_SAMPLES))
        return known, {"samples": unknown}

    training_sets: dict[str, Callable[[torch.Generator], DetectorTrainingSet]] = {
        "naive": naive,
        "other_gan": other_gan,
    }
    trained: dict[str, list[nn.Module]] = {name: [] for name in training_sets}
    accuracy: dict[str, list[dict[str, float]]] = {name: [] for name in training_sets}
    work = list(product(range(config.runs), training_sets.items()))
    for done, (number, (name, draw)) in enumerate(work, start=1):
        seed = derive_seed(run.profile.seed, "detect", name, number)
        abnormal, kinds = draw(torch.Generator().manual_seed(seed))
        detector = train_detector(normal, abnormal, config, seed=seed)
        kept = {kind: abnormal_share(detector, images) for kind, images in kinds.items()}
        accuracy[name].append({"normal": 1 - abnormal_share(detector, held_out), **kept})
        trained[name].append(detector)
        run.progress(done, len(work), name)
    card: dict[str, Any] = {
        "parameters": asdict(config),
        "gan": {"name": other.name, "generator": weights_hash(other.generator)},
        "accuracy": accuracy,
    }
    save_detectors(run.layout.detectors, trained, card)
    return run.layout.detectors


def _samples(gan: Gan, count: int, generator: torch.Generator) -> Tensor:
    return to_bytes(gan.generate_in_batches(*gan.sample_latents(count, generator), 256))


def _other_gan(run: Run, name: str, splits: Splits, device: str) -> Gan:
    """A trained GAN of the profile that is not ``name``; where there is none, one of that kind is trained anew."""
    for other in run.profile.gans:
        if other != name and (run.layout.gan(other) / CARD_FILE).exists():
            return load_gan(run.layout.gan(other), device)
    own = splits["A"]

    def report(step: int, steps: int, _: Mapping[str, float]) -> None:
        run.progress(step, steps, f"a second {name}")

    return train_gan(
        name,
        parse_section(find_gan(name).config, run.profile.section("gans", name), f"gans.{name}"),
        torch.from_numpy(own.images),
        torch.from_numpy(own.labels),
        num_classes=splits.num_classes,
        seed=derive_seed(run.profile.seed, "detect", "gan", name),
        folder=run.layout.decoy(name),
        device=device,
        progress=report,
    )
