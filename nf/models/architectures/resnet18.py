"""ResNet18 (He et al. 2016) for small images."""

from torch import nn

from nf.models.architectures.residual import basic_block, resnet


def resnet18(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """ResNet18's body and its number of features."""
    return resnet(basic_block, (2, 2, 2, 2), width=width, in_channels=in_channels, full_size=full_size)
