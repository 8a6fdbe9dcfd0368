"""SE-ResNet18 (Hu et al. 2018) for small images."""

from torch import nn

from nf.models.architectures.residual import resnet, se_basic_block


def se_resnet18(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """SE-ResNet18's body and its number of features."""
    return resnet(se_basic_block, (2, 2, 2, 2), width=width, in_channels=in_channels, full_size=full_size)
