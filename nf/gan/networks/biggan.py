"""The generator of ContraGAN, ICRGAN and ReACGAN: latents reach every block (Brock et al., 2019)."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nf.core.errors import ConfigError
from nf.gan.definition import ImageShape
from nf.gan.networks.layers import SelfAttention, UpBlock, VectorBatchNorm
from nf.gan.networks.resnet import ATTENTION_SIZE, check_width

_CLASS_DIM = 128


class BigResnetGenerator(nn.Module):
    """Latents and labels to images in [-1, 1], with attention after the block that reaches 16x16.

    Latents are cut into as many parts as there are blocks and one more. The first makes the 4x4 map; each of the others
    is joined to an embedding of the class, and what comes out of that steers the batch norm of one block.

    Args:
        latent_dim: number of dimensions of z, a multiple of the number of parts: 3 at 16x16, one more with each
            doubling.
        channels: number of channels of all feature maps, a multiple of 8.
        shape: images to make, of one class or more; each doubling from 4x4 is one block.
    """

    def __init__(self, latent_dim: int, channels: int, shape: ImageShape) -> None:
        super().__init__()
        check_width("generator_channels", channels)
        parts = shape.doublings + 1
        if latent_dim % parts:
            raise ConfigError(
                f"latent_dim: expected a multiple of {parts}, a part for each block of the generator and one for its "
                f"stem, got {latent_dim}"
            )
        self.channels, self.part = channels, latent_dim // parts
        norm = partial(VectorBatchNorm, vector_dim=self.part + _CLASS_DIM)
        self.stem = nn.Linear(self.part, channels * 4 * 4)
        self.classes = nn.Embedding(shape.num_classes, _CLASS_DIM)
        self.blocks = nn.ModuleList(UpBlock(channels, norm) for _ in range(shape.doublings))
        self.attention = SelfAttention(channels)
        self.norm = nn.BatchNorm2d(channels)
        self.out = nn.Conv2d(channels, shape.channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map z (N, latent_dim) and labels (N,) to (N, C, H, W) in [-1, 1]."""
        first, *others = z.split(self.part, dim=1)
        classes = self.classes(labels)
        h = self.stem(first).view(-1, self.channels, 4, 4)
        for block, part in zip(self.blocks, others, strict=True):
            h = block(h, torch.cat([part, classes], dim=1))
            if h.shape[-1] == ATTENTION_SIZE:
                h = self.attention(h)
        images: Tensor = self.out(F.relu(self.norm(h))).tanh()
        return images
