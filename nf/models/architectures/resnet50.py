"""ResNet50 (He et al. 2016) for small images."""

from torch import nn

from nf.models.architectures.residual import bottleneck, resnet


def resnet50(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """ResNet50's body and its number of features."""
    return resnet(bottleneck, (3, 4, 6, 3), width=width, in_channels=in_channels, full_size=full_size)
