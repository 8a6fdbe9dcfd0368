"""Steps 1 and 2 of NaturalFinger: samples that look like a class, and the two labels of each (paper, section 3.2)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from nf.attacks.gradient import fgsm
from nf.fingerprints.networks import predicted_labels

LabelRule = Literal["negative", "positive", "random"]


def unanimous(models: Sequence[nn.Module], images: Tensor) -> tuple[Tensor, Tensor]:
    """Which images all ``models`` give one label: the paper's sign of a sample of good quality.

    Args:
        models: the positive training models.
        images: (N, C, H, W) float32 in [0, 1].

    Returns:
        Mask (N,) bool, and the first model's labels (N,) int64.
    """
    labels = predicted_labels(models[0], images)
    agreed = torch.ones_like(labels, dtype=torch.bool)
    for model in models[1:]:
        agreed &= predicted_labels(model, images) == labels
    return agreed, labels


def adversarial_labels(
    models: Sequence[nn.Module],
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    num_classes: int,
    batch_size: int = 512,
) -> Tensor:
    """The class that lies nearest to each image: the models' majority label after an FGSM step of each on itself.

    Args:
        models: the negative training models (paper), or the positive ones (the authors' script).
        images: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64, what to lead away from.
        epsilon: length of the step.
        num_classes: number of classes.
        batch_size: images per step.

    Returns:
        (N,) int64; the smallest class where several are equally frequent. It may equal ``labels``.
    """
    votes = torch.zeros(len(images), num_classes, dtype=torch.int64, device=images.device)
    rows = torch.arange(len(images), device=images.device)
    parts = list(zip(torch.split(images, batch_size), torch.split(labels, batch_size), strict=True))
    for model in models:
        attacked = torch.cat([fgsm(model, *part, epsilon=epsilon) for part in parts])
        votes[rows, predicted_labels(model, attacked)] += 1
    return votes.argmax(dim=1)


def random_labels(labels: Tensor, *, num_classes: int, generator: torch.Generator) -> Tensor:
    """A class other than ``labels`` for each, uniformly: the ablation of the adversarial label."""
    offsets = torch.randint(1, num_classes, labels.shape, generator=generator)
    return (labels + offsets.to(labels.device)) % num_classes


def spread(losses: Tensor, pairs: Tensor, count: int, *, each: int = 1) -> Tensor:
    """The ``count`` best, taken from the label pairs in turn, so that no pair crowds out the others.

    Near-copies of one image are one question asked again: a model that gets one wrong gets them all wrong.

    Args:
        losses: (N,) the lower the better.
        pairs: (N, 2) int64, both labels of each.
        count: how many to take, all if there are fewer.
        each: how many a pair may give in a turn.

    Returns:
        (min(count, N),) int64 indices: the ``each`` best of each pair, then the next best of each, and so on; within a
        turn by loss.
    """
    _, group = pairs.unique(dim=0, return_inverse=True)
    by_loss = losses.argsort(stable=True)
    by_group = by_loss[group[by_loss].argsort(stable=True)]
    sizes = torch.bincount(group)
    ranks = torch.empty_like(by_loss)  # within the pair
    ranks[by_group] = torch.arange(len(losses), device=losses.device) - (sizes.cumsum(0) - sizes)[group[by_group]]
    return by_loss[(ranks[by_loss] // each).argsort(stable=True)][:count]
