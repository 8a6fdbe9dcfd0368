"""Adam on pixels, for schemes that optimise the images themselves."""

import torch
from torch import Tensor

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class PixelAdam:
    """Adam (Kingma and Ba, algorithm 1) on images that stay in [0, 1] and can be taken out one by one.

    ``torch.optim`` keeps its state by tensor, not by image.

    Attributes:
        images: (N, C, H, W) float32, where they are now.

    Args:
        images: where to start.
        learning_rate: length of the first step of each pixel, in units of the [0, 1] range.
    """

    def __init__(self, images: Tensor, learning_rate: float) -> None:
        self.images = images.clone()
        self._learning_rate = learning_rate
        self._mean, self._square = torch.zeros_like(images), torch.zeros_like(images)
        self._steps = 0

    def leaf(self) -> Tensor:
        """The images as a tensor to differentiate by."""
        return self.images.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True)

    def step(self, gradient: Tensor) -> None:
        """Move all images against their ``gradient``, (N, C, H, W), and clamp them to [0, 1]."""
        self._steps += 1
        self._mean = _BETA1 * self._mean + (1 - _BETA1) * gradient
        self._square = _BETA2 * self._square + (1 - _BETA2) * gradient**2
        mean = self._mean / (1 - _BETA1**self._steps)
        scale = (self._square / (1 - _BETA2**self._steps)).sqrt() + _EPSILON
        self.images = (self.images - self._learning_rate * mean / scale).clamp(0, 1)

    def keep(self, index: Tensor) -> None:
        """Go on with the images at ``index`` only: (M,) int64, or (N,) bool."""
        self.images, self._mean, self._square = self.images[index], self._mean[index], self._square[index]
