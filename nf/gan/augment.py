"""What real and generated images go through on their way to the discriminator."""

import torch
import torch.nn.functional as F
from torch import Tensor


def mirror(images: Tensor, rng: torch.Generator) -> Tensor:
    """Mirror each of ``images`` (N, C, H, W) left to right with probability one half, drawn from ``rng``."""
    chosen = torch.rand(len(images), 1, 1, 1, generator=rng) < 0.5
    return torch.where(chosen.to(images.device, non_blocking=True), images.flip(-1), images)


def translate(images: Tensor, max_shift: int, rng: torch.Generator) -> Tensor:
    """Shift each image by whole pixels along both axes; differentiable.

    Pixels that come in from outside are 0, mid-grey in [-1, 1]: a generator cannot pass its own shifts off as these
    (Zhao et al., Differentiable Augmentation, 2020).

    Args:
        images: (N, C, H, W) in [-1, 1].
        max_shift: longest shift in pixels in each direction; 0 returns the images as they are.
        rng: source of the shifts.
    """
    if max_shift == 0:
        return images
    n, _, height, width = images.shape
    offsets = torch.randint(2 * max_shift + 1, (2, n, 1), generator=rng).to(images.device, non_blocking=True)
    rows = torch.arange(height, device=images.device) + offsets[0]
    columns = torch.arange(width, device=images.device) + offsets[1]
    padded = F.pad(images, [max_shift] * 4).permute(0, 2, 3, 1)
    every = torch.arange(n, device=images.device)[:, None, None]
    return padded[every, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
