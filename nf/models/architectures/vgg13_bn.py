"""VGG13 with batch norm (Simonyan and Zisserman 2015) for small images."""

from torch import nn

from nf.models.architectures.plain import vgg


def vgg13_bn(*, width: float, in_channels: int) -> tuple[nn.Module, int]:
    """VGG13's convolutions and their number of features."""
    return vgg((2, 2, 2, 2, 2), width=width, in_channels=in_channels)
