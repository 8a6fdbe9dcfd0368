"""Training augmentation for whole batches, on whatever device the images are."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augment:
    """Random crop and random mirroring.

    Attributes:
        padding: pixels of zeros on each side before the crop; 0 leaves the image where it is.
        flip: whether half of the images, drawn at random, are mirrored left to right.
    """

    padding: int
    flip: bool

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Augment a batch; every image has a crop and a mirroring of its own.

        Args:
            images: (N, C, H, W) of any dtype.
            generator: source of the random draws, on the images' device.

        Returns:
            (N, C, H, W) of the same dtype, channels last in memory.
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
        ]  # advanced indices with a slice between them put their axes first: (N, H, W, C), which is channels_last
        return picked.permute(0, 3, 1, 2)
