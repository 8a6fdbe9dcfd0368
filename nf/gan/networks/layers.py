"""Layers that the GANs share. They hold plain weights, which ``spectral_norm`` normalises from outside."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainBatchNorm(nn.Module):
    """Batch norm that ignores the condition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Normalise ``x`` (N, C, H, W)."""
        normed: Tensor = self.norm(x)
        return normed


class _ModulatedBatchNorm(nn.Module):
    """Batch norm with a gain and a bias of its own for each image."""

    def __init__(self, channels: int, gain: nn.Module, bias: nn.Module) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = gain
        self.bias = bias

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Normalise ``x`` (N, C, H, W) for ``condition``, one row an image."""
        normed: Tensor = self.norm(x)
        # Autocast leaves what is looked up in float32, and would take the maps there with it.
        gain = (1 + self.gain(condition)).to(normed.dtype)
        bias = self.bias(condition).to(normed.dtype)
        return torch.addcmul(bias[:, :, None, None], normed, gain[:, :, None, None])


class ConditionalBatchNorm(_ModulatedBatchNorm):
    """Batch norm whose gain and bias are looked up by class: labels (N,) (Dumoulin et al., 2017)."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__(channels, nn.Embedding(num_classes, channels), nn.Embedding(num_classes, channels))


class VectorBatchNorm(_ModulatedBatchNorm):
    """Batch norm whose gain and bias are linear in a vector (N, D) of latents and class (Brock et al., 2019)."""

    def __init__(self, channels: int, vector_dim: int) -> None:
        super().__init__(
            channels, nn.Linear(vector_dim, channels, bias=False), nn.Linear(vector_dim, channels, bias=False)
        )


class SelfAttention(nn.Module):
    """Self-attention over positions, added with a learnt weight that starts at zero (SAGAN, section 3, Eq. 1-3).

    Keys and values are pooled to a quarter of the positions.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.key = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.value = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.out = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        query = self.query(x).flatten(2)
        key = F.max_pool2d(self.key(x), 2).flatten(2)
        value = F.max_pool2d(self.value(x), 2).flatten(2)
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        # Positions before channels: the memory order of channels_last, so nothing is copied.
        attended = (weights @ value.transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])
        mixed: Tensor = self.out(attended)
        return x + self.gamma * mixed


class UpBlock(nn.Module):
    """Residual block of a generator: twice the height and width.

    Args:
        channels: number of channels of input and output.
        norm: function (channels) that makes a batch norm, which is called with feature maps and their condition.
    """

    def __init__(self, channels: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm1 = norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 2H, 2W)."""
        h = _doubled(F.relu(self.norm1(x, condition)))
        h = F.relu(self.norm2(self.conv1(h), condition))
        # A 1x1 convolution before the up-sampling equals one after it, at a quarter of the work.
        return torch.add(self.conv2(h), _doubled(self.shortcut(x)))


def _doubled(x: Tensor) -> Tensor:
    """Each pixel of ``x`` (N, C, H, W) as a square of four; autocast would do even that in float32 on a GPU."""
    kind = x.device.type
    with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
        return F.interpolate(x, scale_factor=2.0)


class DownBlock(nn.Module):
    """Residual block of a discriminator, without batch norm.

    Args:
        in_channels: number of channels of the input.
        channels: number of channels of the output.
        down: whether height and width are halved.
        preactivate: whether the block starts with a ReLU, as all do but the one that is given the image.
    """

    def __init__(self, in_channels: int, channels: int, *, down: bool, preactivate: bool = True) -> None:
        super().__init__()
        self.down = down
        self.preactivate = preactivate
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, channels, 1) if down or in_channels != channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H, W), or half of H and W."""
        h = self.conv2(F.relu(self.conv1(F.relu(x) if self.preactivate else x)))
        if not self.down:
            return torch.add(h, self.shortcut(x))
        # The 1x1 convolution commutes with the mean: pool first, at a quarter of the work.
        return torch.add(F.avg_pool2d(h, 2), self.shortcut(F.avg_pool2d(x, 2)))
