"""Training augmentation for whole batches, on whatever device the images are."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augment:
    """Random crop after ``padding`` pixels of zeros on each side, and a horizontal ``flip`` for half of the images."""

    padding: int
    flip: bool

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Augment ``images`` (N, C, H, W) of any dtype; each image is drawn for by itself.

        Args:
            images: the batch.
            generator: on the images' device.
        """
        count, _, height, width = images.shape
        device = images.device
        rows = torch.arange(height, device=device).expand(count, height)
        columns = torch.arange(width, device=device).expand(count, width)
        if self.padding:
            span = 2 * self.padding + 1
            rows = rows + torch.randint(span, (count, 1), generator=generator, device=device)
            columns = columns + torch.randint(span, (count, 1), generator=generator, device=device)
            images = functional.pad(images, (self.padding,) * 4)
        if self.flip:
            mirrored = torch.rand((count, 1), generator=generator, device=device) < 0.5
            columns = torch.where(mirrored, columns.flip(1), columns)
        picked = images[
            torch.arange(count, device=device)[:, None, None], :, rows[:, :, None], columns[:, None, :]
        ]  # advanced indices apart from each other put their axes first: (N, H, W, C), which is channels_last
        return picked.permute(0, 3, 1, 2)
