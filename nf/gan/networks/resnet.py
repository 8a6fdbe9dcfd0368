"""Residual networks: all discriminators, and the smaller generators (Miyato et al., 2018, with self-attention)."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from nf.core.errors import ConfigError
from nf.gan.definition import ImageShape
from nf.gan.networks.layers import ConditionalBatchNorm, DownBlock, PlainBatchNorm, SelfAttention, UpBlock

ATTENTION_SIZE = 16


class ResnetGenerator(nn.Module):
    """Latents and labels to images in [-1, 1].

    Args:
        latent_dim: number of dimensions of z.
        channels: number of channels of all feature maps, a multiple of 8.
        shape: images to make; each doubling from 4x4 is one block. Without classes, labels are ignored.
        attention: whether self-attention follows the block that reaches 16x16.
    """

    def __init__(self, latent_dim: int, channels: int, shape: ImageShape, *, attention: bool) -> None:
        super().__init__()
        check_width("generator_channels", channels)
        self.channels = channels
        classes = shape.num_classes
        norm: Callable[[int], nn.Module] = (
            partial(ConditionalBatchNorm, num_classes=classes) if classes else PlainBatchNorm
        )
        self.stem = nn.Linear(latent_dim, channels * 4 * 4)
        self.blocks = nn.ModuleList(UpBlock(channels, norm) for _ in range(shape.doublings))
        self.attention = SelfAttention(channels) if attention else nn.Identity()
        self.norm = nn.BatchNorm2d(channels)
        self.out = nn.Conv2d(channels, shape.channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map z (N, latent_dim) and labels (N,) to (N, C, H, W) in [-1, 1]."""
        h = self.stem(z).view(-1, self.channels, 4, 4)
        for block in self.blocks:
            h = block(h, labels)
            if h.shape[-1] == ATTENTION_SIZE:
                h = self.attention(h)
        images: Tensor = self.out(F.relu(self.norm(h))).tanh()
        return images


class _Trunk(nn.Module):
    """The layers that all discriminators share: four blocks, of which the first ones halve the image to 8x8 or less.

    Attention follows the block that reaches 16x16, or the first one where that is less.
    """

    def __init__(self, channels: int, shape: ImageShape, *, attention: bool) -> None:
        super().__init__()
        check_width("discriminator_channels", channels)
        self.stem = DownBlock(shape.channels, channels, down=True, preactivate=False)
        self.attention = SelfAttention(channels) if attention else nn.Identity()
        halvings = max(2, shape.doublings - 1)
        self.blocks = nn.Sequential(*(DownBlock(channels, channels, down=place < halvings) for place in range(1, 4)))
        self._before_attention = max(0, shape.doublings - 3)
        self.logit = nn.Linear(channels, 1)

    def features(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to (N, channels)."""
        h = self.stem(images)
        for place, block in enumerate(self.blocks):
            h = block(self.attention(h) if place == self._before_attention else h)
        pooled: Tensor = F.relu(h).sum(dim=(2, 3))
        return pooled


class ResnetDiscriminator(_Trunk):
    """Images in [-1, 1] and labels to logits, with label projection if there are classes (Miyato and Koyama, 2018).

    Args:
        channels: number of channels of all feature maps, a multiple of 8.
        shape: images that the network takes.
        attention: whether there is self-attention.
    """

    def __init__(self, channels: int, shape: ImageShape, *, attention: bool) -> None:
        super().__init__(channels, shape, attention=attention)
        self.embedding = nn.Embedding(shape.num_classes, channels) if shape.num_classes else None

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] and labels (N,) to logits (N,)."""
        h = self.features(images)
        logits: Tensor = self.logit(h).squeeze(1)
        return logits if self.embedding is None else logits + (self.embedding(labels) * h).sum(1)


class Judgement(NamedTuple):
    """Output of a ``MetricDiscriminator``: logits (N,), and unit vectors (N, D) of the images and of their classes."""

    logits: Tensor
    embeddings: Tensor
    proxies: Tensor


class MetricDiscriminator(_Trunk):
    """A discriminator that tells classes by placing images near a learnt proxy of their class (ContraGAN, section 3).

    Args:
        channels: number of channels of all feature maps, a multiple of 8.
        shape: images that the network takes, of one class or more.
        attention: whether there is self-attention.
        embedding_dim: number of dimensions of embeddings and proxies.
    """

    def __init__(self, channels: int, shape: ImageShape, *, attention: bool, embedding_dim: int) -> None:
        super().__init__(channels, shape, attention=attention)
        self.embed = nn.Linear(channels, embedding_dim)
        self.proxy = nn.Embedding(shape.num_classes, embedding_dim)

    def judge(self, images: Tensor, labels: Tensor) -> Judgement:
        """Map images (N, C, H, W) in [-1, 1] and labels (N,) to logits, embeddings and the proxies of the labels."""
        h = self.features(images)
        embeddings, proxies = F.normalize(self.embed(h), dim=1), F.normalize(self.proxy(labels), dim=1)
        return Judgement(self.logit(h).squeeze(1), embeddings, proxies)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to logits (N,), which do not depend on the labels."""
        logits: Tensor = self.logit(self.features(images)).squeeze(1)
        return logits


def check_width(name: str, channels: int) -> None:
    """Refuse a number of channels that attention cannot divide.

    Args:
        name: setting that holds the number, for the message.
        channels: number of channels of all feature maps.

    Raises:
        ConfigError: ``channels`` is not a positive multiple of 8.
    """
    if channels < 8 or channels % 8:
        raise ConfigError(f"{name}: expected a multiple of 8, got {channels}")
