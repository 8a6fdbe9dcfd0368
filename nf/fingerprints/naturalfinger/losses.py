"""The Carlini-Wagner loss of NaturalFinger (paper, equation 3), and its mean over the models (equation 1)."""

import math

import torch
from torch import Tensor, nn

from nf.fingerprints.base import TrainingModels
from nf.fingerprints.naturalfinger.candidates import Candidates

_BATCH = 512


def cw_loss(logits: Tensor, targets: Tensor, *, confidence: float = 50.0) -> Tensor:
    """Carlini-Wagner loss (paper, equation 3): how far the best other class is above the target's logit.

    Args:
        logits: (N, classes) logits Z.
        targets: (N,) int64 target classes t.
        confidence: bound k in logits: a sample whose target leads by more has no gradient. ``math.inf`` sets no bound.

    Returns:
        (N,) max(max_{i != t} Z_i - Z_t, -k); negative where the target class is predicted.
    """
    index = targets.unsqueeze(1)
    target = logits.gather(1, index).squeeze(1)
    others = logits.scatter(1, index, -math.inf).amax(dim=1)
    return torch.clamp(others - target, min=-confidence)


@torch.no_grad()
def unbounded_losses(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """(N,) ``cw_loss`` without a bound, of the logits of ``model`` for ``images`` (N, C, H, W) float32 in [0, 1]."""
    parts = zip(torch.split(images, _BATCH), torch.split(targets, _BATCH), strict=True)
    return torch.cat([cw_loss(model(part), wanted, confidence=math.inf) for part, wanted in parts])


def mean_losses(images: Tensor, candidates: Candidates, models: TrainingModels, *, confidence: float) -> Tensor:
    """How far each image is from the labels that it shall get: equation 1 without transforms and discriminator.

    Args:
        images: (N, C, H, W) float32 in [0, 1], one for each candidate.
        candidates: labels that the images shall get.
        models: training models, in eval mode.
        confidence: bound k of the CW loss, in logits.

    Returns:
        (N,) losses.
    """
    total = torch.zeros(len(images), device=images.device)
    for pool, labels in (
        (models.positives, candidates.positive_labels),
        (models.negatives, candidates.negative_labels),
    ):
        for model in pool:
            total += unbounded_losses(model, images, labels).clamp_min(-confidence) / len(pool)
    return total
