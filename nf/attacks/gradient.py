"""Gradient attacks of each image by itself: FGSM and PGD under the maximum norm, images in [0, 1]."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def _loss_gradient(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    images = images.detach().requires_grad_(True)
    with torch.enable_grad():
        loss = functional.cross_entropy(model(images), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
    return gradient


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, *, epsilon: float) -> Tensor:
    """Untargeted fast gradient sign method: one step of ``epsilon`` up the cross-entropy, clipped to [0, 1].

    Args:
        model: classifier that returns logits; its mode is left as it is.
        images: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64.
        epsilon: largest change of a pixel, in units of the [0, 1] range.

    Returns:
        (N, C, H, W) float32 in [0, 1], without gradients.
    """
    return (images + epsilon * _loss_gradient(model, images, labels).sign()).clamp(0, 1).detach()


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    step_size: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Untargeted projected gradient descent from a uniform random start in the ``epsilon`` ball, within [0, 1].

    Args:
        model: classifier that returns logits; put it in eval mode, or its batch statistics see attacked images.
        images: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64.
        epsilon: largest change of a pixel, in units of the [0, 1] range.
        step_size: change of a pixel per step, in units of the [0, 1] range.
        steps: number of steps, at least 1.
        generator: source of the random start, on the images' device.

    Returns:
        (N, C, H, W) float32 in [0, 1], without gradients.

    Raises:
        ValueError: ``steps`` is less than 1.
    """
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    noise = torch.rand(images.shape, generator=generator, device=images.device) * 2 - 1
    attacked = (images + epsilon * noise).clamp(0, 1)
    for _ in range(steps):
        attacked = attacked + step_size * _loss_gradient(model, attacked, labels).sign()
        attacked = torch.minimum(torch.maximum(attacked, images - epsilon), images + epsilon).clamp(0, 1)
    return attacked.detach()
