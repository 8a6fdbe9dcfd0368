"""Step 4 of NaturalFinger: only images on which all training models already answer as they should become queries."""

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nf.data import to_bytes, to_float
from nf.fingerprints.base import TrainingModels
from nf.fingerprints.candidates import Candidates, Funnel
from nf.fingerprints.losses import cw_loss
from nf.fingerprints.naturalfinger_config import NaturalFingerConfig
from nf.fingerprints.transforms import DETERMINISTIC, TRANSFORMS

_BATCH = 512


def screen(
    images: Tensor,
    candidates: Candidates,
    models: TrainingModels,
    config: NaturalFingerConfig,
    *,
    generator: torch.Generator,
    funnel: Funnel,
) -> tuple[Tensor, Tensor]:
    """Which images all positives label y_pos and all negatives y_neg: as made, as stored, and under every transform.

    Transforms are applied to the stored bytes, for these are what a suspect sees.

    Args:
        images: (N, C, H, W) float32 in [0, 1], one for each candidate.
        candidates: with the labels that the models must give.
        models: the training models as they are.
        config: names the transforms, their strength and the number of draws of each.
        generator: for the transforms' parameters.
        funnel: gets the number that passed each test.

    Returns:
        (M,) int64 indices of the survivors, and (M,) float32 the ``steadiness`` of each, the lower of both pools.
    """
    asked = [(model, candidates.positive_labels) for model in models.positives]
    asked += [(model, candidates.negative_labels) for model in models.negatives]
    alive = torch.arange(len(images), device=images.device)
    margins: list[Tensor] = []  # (N,) for each view and model
    for test, views in _tests(images, config, generator):
        for view, (model, labels) in itertools.product(views, asked):
            margin = torch.zeros(len(images), device=images.device)
            if len(alive) > 0:  # not every network takes an empty batch
                margin[alive] = -_losses(model, view[alive], labels[alive])
                alive = alive[margin[alive] > 0]
            margins.append(margin)
        funnel.add(test, len(alive))
    by_model = torch.stack(margins)[:, alive].unflatten(0, (-1, len(asked)))
    positives, negatives = by_model.split([len(models.positives), len(models.negatives)], dim=1)
    return alive, torch.minimum(steadiness(positives), steadiness(negatives))


def steadiness(margins: Tensor) -> Tensor:
    """Mean over standard deviation of each image's margins: how far off zero they are by the measure of their spread.

    Where the models asked are sure and of one mind, another of their kind will likely answer as they do.

    Args:
        margins: (V, K, N) of V views by K models, in logits.

    Returns:
        (N,) float32.
    """
    mean = margins.mean((0, 1))
    return mean / (margins - mean).square().mean((0, 1)).sqrt()  # Tensor.std() warns of no images


def mean_losses(images: Tensor, candidates: Candidates, models: TrainingModels, config: NaturalFingerConfig) -> Tensor:
    """(N,) equation 1 without the discriminator, untransformed: how far each image is from the labels it shall get."""
    total = torch.zeros(len(images), device=images.device)
    for pool, labels in (
        (models.positives, candidates.positive_labels),
        (models.negatives, candidates.negative_labels),
    ):
        for model in pool:
            total += _losses(model, images, labels).clamp_min(-config.confidence) / len(pool)
    return total


def _tests(
    images: Tensor, config: NaturalFingerConfig, generator: torch.Generator
) -> Iterator[tuple[str, Iterator[Tensor]]]:
    stored = to_float(to_bytes(images))
    yield "optimised", iter([images])
    yield "uint8", iter([stored])
    for name in config.transforms:
        draws = 1 if name in DETERMINISTIC else config.screen_repeats
        yield name, (TRANSFORMS[name](stored, generator, config.strength) for _ in range(draws))


@torch.no_grad()
def _losses(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    parts = zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True)
    return torch.cat([cw_loss(model(part), targets, confidence=math.inf) for part, targets in parts])
