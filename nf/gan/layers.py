"""Layers that the GANs share. They hold plain weights; ``nf.gan.spectral`` normalises them from outside."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain and bias are looked up by class (Dumoulin et al., 2017)."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(num_classes, channels)
        self.bias = nn.Embedding(num_classes, channels)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Normalise ``x`` (N, C, H, W) for ``labels`` (N,)."""
        gain: Tensor = 1 + self.gain(labels)
        bias: Tensor = self.bias(labels)
        return torch.addcmul(bias[:, :, None, None], self.norm(x), gain[:, :, None, None])


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
    """Residual block of a generator: twice the height and width."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm(channels, num_classes)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = ConditionalBatchNorm(channels, num_classes)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 2H, 2W)."""
        h = F.interpolate(F.relu(self.norm1(x, labels)), scale_factor=2.0)
        h = F.relu(self.norm2(self.conv1(h), labels))
        # A 1x1 convolution before the up-sampling equals one after it, at a quarter of the work.
        return torch.add(self.conv2(h), F.interpolate(self.shortcut(x), scale_factor=2.0))


class DownBlock(nn.Module):
    """Residual block of a discriminator, without batch norm.

    Args:
        in_channels: channels of the input.
        channels: channels of the output.
        down: halve height and width.
        preactivate: start with a ReLU; a block that sees the image does not.
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
