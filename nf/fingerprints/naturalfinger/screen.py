"""Step 4 of NaturalFinger: only images on which models already answer as they should can become queries.

In the paper these are all training models, under every transform. Where calibration models choose, the source is
enough: on images that some training models fail on, others may still agree, and it is others that a query is for.
"""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from nf.data import to_bytes, to_float
from nf.fingerprints.base import TrainingModels
from nf.fingerprints.naturalfinger.candidates import Candidates, Funnel
from nf.fingerprints.naturalfinger.config import NaturalFingerConfig
from nf.fingerprints.naturalfinger.losses import unbounded_losses
from nf.fingerprints.transforms import DETERMINISTIC, TRANSFORMS
from nf.models import predicted_labels


def screen(
    images: Tensor,
    candidates: Candidates,
    models: TrainingModels,
    config: NaturalFingerConfig,
    *,
    generator: torch.Generator,
    funnel: Funnel,
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the images that all positives label y_pos and all negatives y_neg: as made, as stored, and transformed.

    Transforms are applied to the stored bytes, as these are what a suspect gets.

    Args:
        images: (N, C, H, W) float32 in [0, 1], one for each candidate.
        candidates: labels that the models must give the images.
        models: training models, in eval mode.
        config: settings of the transforms, their strength and the number of draws of each.
        generator: source of the transforms' parameters, on the CPU.
        funnel: counter that gets the number of candidates that passed each test.

    Returns:
        (M,) int64 indices of the survivors, and the logits by which each model prefers the label that it shall give, in
        V views: (V, P, M) of the positives and (V, Q, M) of the negatives.
    """
    targets = [(model, candidates.positive_labels) for model in models.positives]
    targets += [(model, candidates.negative_labels) for model in models.negatives]
    alive = torch.arange(len(images), device=images.device)
    margins: list[Tensor] = []  # (N,) for each view and model
    for test, views in _tests(images, config, generator):
        for view, (model, labels) in itertools.product(views, targets):
            margin = torch.zeros(len(images), device=images.device)
            if len(alive) > 0:  # not every network takes an empty batch
                margin[alive] = -unbounded_losses(model, view[alive], labels[alive])
                alive = alive[margin[alive] > 0]
            margins.append(margin)
        funnel.add(test, len(alive))
    by_model = torch.stack(margins)[:, alive].unflatten(0, (-1, len(targets)))
    positives, negatives = by_model.split([len(models.positives), len(models.negatives)], dim=1)
    return alive, positives, negatives


def screen_source(images: Tensor, candidates: Candidates, models: TrainingModels, *, funnel: Funnel) -> Tensor:
    """Find the images that the source itself labels y_pos as they are stored: a query is an answer of the source's.

    Args:
        images: (N, C, H, W) float32 in [0, 1], one for each candidate.
        candidates: labels that the source must give the images.
        models: source and training models, in eval mode.
        funnel: counter that gets the number of candidates that passed.

    Returns:
        (M,) int64 indices of those that passed.
    """
    given = predicted_labels(models.source, to_float(to_bytes(images)))
    alive = (given == candidates.positive_labels).nonzero().squeeze(1)
    funnel.add("source", len(alive))
    return alive


def _tests(
    images: Tensor, config: NaturalFingerConfig, generator: torch.Generator
) -> Iterator[tuple[str, Iterator[Tensor]]]:
    stored = to_float(to_bytes(images))
    yield "optimised", iter([images])
    yield "uint8", iter([stored])
    for name in config.transforms:
        draws = 1 if name in DETERMINISTIC else config.screen_repeats
        yield name, (TRANSFORMS[name](stored, generator, config.strength) for _ in range(draws))
