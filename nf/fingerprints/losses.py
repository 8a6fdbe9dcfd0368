"""Losses on logits that schemes optimise."""

import math

import torch
from torch import Tensor


def cw_loss(logits: Tensor, targets: Tensor, *, confidence: float = 50.0) -> Tensor:
    """Carlini-Wagner loss (paper, equation 3): how far the best other class is above the target's logit.

    Args:
        logits: (N, classes).
        targets: (N,) int64.
        confidence: k; a sample whose target leads by more than this has no gradient. ``math.inf`` sets no bound.

    Returns:
        (N,) max(max_{i != t} Z_i - Z_t, -k); negative where the target class is predicted.
    """
    index = targets.unsqueeze(1)
    target = logits.gather(1, index).squeeze(1)
    others = logits.scatter(1, index, -math.inf).amax(dim=1)
    return torch.clamp(others - target, min=-confidence)
