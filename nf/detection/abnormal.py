"""Abnormal images that a thief makes without knowing any query: noise and adversarial examples, as bytes."""

import torch
from torch import Tensor, nn

from nf.attacks import fgsm
from nf.data import to_bytes, to_float
from nf.models import predicted_labels

_BATCH = 512


def noisy_images(images: Tensor, *, std: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise to images.

    Args:
        images: (N, C, H, W) uint8 in [0, 255].
        std: standard deviation of the noise, in units of the [0, 1] range.
        generator: source of the noise.

    Returns:
        (N, C, H, W) uint8.
    """
    noise = torch.randn(images.shape, generator=generator).to(images.device) * std
    return to_bytes((to_float(images) + noise).clamp(0, 1))


def fgsm_images(model: nn.Module, images: Tensor, *, epsilon: float) -> Tensor:
    """Move images by one FGSM step away from the labels that ``model`` gives them.

    Args:
        model: classifier in eval mode.
        images: (N, C, H, W) uint8 in [0, 255].
        epsilon: length of the step, in units of the [0, 1] range.

    Returns:
        (N, C, H, W) uint8.
    """
    parts = [to_float(part) for part in images.split(_BATCH)]
    attacked = [fgsm(model, part, predicted_labels(model, part), epsilon=epsilon) for part in parts]
    return to_bytes(torch.cat(attacked))
