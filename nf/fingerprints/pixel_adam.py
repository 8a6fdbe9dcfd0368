"""Adam, for schemes that optimise the images themselves."""

import torch
from torch import Tensor

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Steps of Adam (Kingma and Ba, algorithm 1) for one tensor whose rows can be dropped one by one.

    ``torch.optim`` keeps its state by tensor, not by row, and its Adam takes seconds to import.

    Args:
        like: tensor of the shape that is optimised.
        learning_rate: length of the first step of each entry, in units of the tensor.
    """

    def __init__(self, like: Tensor, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self._mean, self._square = torch.zeros_like(like), torch.zeros_like(like)
        self._steps = 0

    def step(self, gradient: Tensor) -> Tensor:
        """The change to add to the tensor, whose ``gradient`` this is, for its next step."""
        self._steps += 1
        self._mean = _BETA1 * self._mean + (1 - _BETA1) * gradient
        self._square = _BETA2 * self._square + (1 - _BETA2) * gradient**2
        mean = self._mean / (1 - _BETA1**self._steps)
        scale = (self._square / (1 - _BETA2**self._steps)).sqrt() + _EPSILON
        return -self._learning_rate * mean / scale

    def keep(self, index: Tensor) -> None:
        """Go on with the rows at ``index`` only: (M,) int64, or (N,) bool."""
        self._mean, self._square = self._mean[index], self._square[index]


class PixelAdam:
    """Images that are moved by Adam and stay in [0, 1].

    Attributes:
        images: (N, C, H, W) float32 current images in [0, 1].

    Args:
        images: (N, C, H, W) float32 images in [0, 1] to start from.
        learning_rate: length of the first step of each pixel, in units of the [0, 1] range.
    """

    def __init__(self, images: Tensor, learning_rate: float) -> None:
        self.images = images.clone()
        self._adam = Adam(images, learning_rate)

    def leaf(self) -> Tensor:
        """The current images as a new leaf tensor to differentiate by."""
        return self.images.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True)

    def step(self, gradient: Tensor) -> None:
        """Move all images against their ``gradient``, (N, C, H, W), and clamp them to [0, 1]."""
        self.images = (self.images + self._adam.step(gradient)).clamp(0, 1)

    def keep(self, index: Tensor) -> None:
        """Go on with the images at ``index`` only: (M,) int64, or (N,) bool."""
        self.images = self.images[index]
        self._adam.keep(index)
