"""The residual backbone of SAGAN and its relatives (Miyato et al., 2018, with self-attention)."""

import torch.nn.functional as F
from torch import Tensor, nn

from nf.core.errors import ConfigError
from nf.gan.definition import ImageShape
from nf.gan.layers import DownBlock, SelfAttention, UpBlock

_ATTENTION_SIZE = 16


class ResnetGenerator(nn.Module):
    """Latents and labels to images in [-1, 1].

    Args:
        latent_dim: dimensions of z.
        channels: width of all feature maps.
        shape: images to make; each doubling from 4x4 is one block, attention follows the block that reaches 16x16.
    """

    def __init__(self, latent_dim: int, channels: int, shape: ImageShape) -> None:
        super().__init__()
        _check_width("generator_channels", channels)
        self.channels = channels
        self.stem = nn.Linear(latent_dim, channels * 4 * 4)
        self.blocks = nn.ModuleList(
            UpBlock(channels, shape.num_classes) for _ in range((shape.image_size // 4).bit_length() - 1)
        )
        self.attention = SelfAttention(channels)
        self.norm = nn.BatchNorm2d(channels)
        self.out = nn.Conv2d(channels, shape.channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map z (N, latent_dim) and labels (N,) to (N, C, H, W) in [-1, 1]."""
        h = self.stem(z).view(-1, self.channels, 4, 4)
        for block in self.blocks:
            h = block(h, labels)
            if h.shape[-1] == _ATTENTION_SIZE:
                h = self.attention(h)
        images: Tensor = self.out(F.relu(self.norm(h))).tanh()
        return images


class ResnetDiscriminator(nn.Module):
    """Images in [-1, 1] and labels to logits, with label projection (Miyato and Koyama, 2018).

    Args:
        channels: width of all feature maps.
        shape: images to judge; the first two of four blocks halve them, attention follows the first.
    """

    def __init__(self, channels: int, shape: ImageShape) -> None:
        super().__init__()
        _check_width("discriminator_channels", channels)
        self.stem = DownBlock(shape.channels, channels, down=True, preactivate=False)
        self.attention = SelfAttention(channels)
        self.blocks = nn.Sequential(
            DownBlock(channels, channels, down=True),
            DownBlock(channels, channels, down=False),
            DownBlock(channels, channels, down=False),
        )
        self.logit = nn.Linear(channels, 1)
        self.embedding = nn.Embedding(shape.num_classes, channels)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] and labels (N,) to logits (N,)."""
        h = F.relu(self.blocks(self.attention(self.stem(images)))).sum(dim=(2, 3))
        logits: Tensor = self.logit(h).squeeze(1) + (self.embedding(labels) * h).sum(1)
        return logits


def _check_width(name: str, channels: int) -> None:
    if channels < 8 or channels % 8:
        raise ConfigError(f"{name}: expected a multiple of 8, got {channels}")
