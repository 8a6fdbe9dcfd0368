"""VGG bodies for small images: plain stacks of 3x3 convolutions."""

from collections.abc import Sequence

from torch import nn

from nf.models.architectures.blocks import GlobalAveragePool, conv_bn_relu, scaled

_CHANNELS = (64, 128, 256, 512, 512)


def vgg(depths: Sequence[int], *, width: float, in_channels: int) -> tuple[nn.Module, int]:
    """Five stages of ``depths`` convolutions with 2x2 max-pools between them; total stride 16.

    The pool after the last stage is the global one, so that a 16x16 image is not pooled away.
    """
    layers: list[nn.Module] = []
    channels = in_channels
    for stage, (depth, planes) in enumerate(zip(depths, _CHANNELS, strict=True)):
        if stage > 0:
            layers.append(nn.MaxPool2d(2))
        for _ in range(depth):
            layers.append(conv_bn_relu(channels, scaled(planes, width)))
            channels = scaled(planes, width)
    return nn.Sequential(*layers, GlobalAveragePool()), channels
