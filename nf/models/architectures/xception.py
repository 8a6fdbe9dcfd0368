"""Xception (Chollet 2017) for small images."""

from torch import nn

from nf.models.architectures.blocks import GlobalAveragePool, Residual, conv_bn_relu, projection, scaled

_MIDDLE_BLOCKS = 8


def _separable(in_channels: int, out_channels: int) -> list[nn.Module]:
    """One filter per channel, then a 1x1 convolution and batch norm."""
    return [
        nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
    ]


def _down_block(in_channels: int, inner: int, out_channels: int, *, starts_with_relu: bool = True) -> nn.Module:
    """Two separable convolutions and a strided max-pool beside a strided 1x1 convolution (figure 5, entry and exit)."""
    layers: list[nn.Module] = [nn.ReLU()] if starts_with_relu else []
    layers += [*_separable(in_channels, inner), nn.ReLU(inplace=True), *_separable(inner, out_channels)]
    layers.append(nn.MaxPool2d(3, stride=2, padding=1))
    return Residual(nn.Sequential(*layers), projection(in_channels, out_channels, 2), nn.Identity())


def _middle_block(channels: int) -> nn.Module:
    """Three separable convolutions beside the identity (figure 5, middle flow)."""
    layers = [layer for _ in range(3) for layer in (nn.ReLU(), *_separable(channels, channels))]
    return Residual(nn.Sequential(*layers), nn.Identity(), nn.Identity())


def xception(*, width: float, in_channels: int) -> tuple[nn.Module, int]:
    """Xception's body and its number of features; total stride 16."""
    c32, c64, c128, c256, c728, c1024, c1536, c2048 = (
        scaled(size, width) for size in (32, 64, 128, 256, 728, 1024, 1536, 2048)
    )
    entry = [
        conv_bn_relu(in_channels, c32),
        conv_bn_relu(c32, c64),
        _down_block(c64, c128, c128, starts_with_relu=False),
        _down_block(c128, c256, c256),
        _down_block(c256, c728, c728),
    ]
    middle = [_middle_block(c728) for _ in range(_MIDDLE_BLOCKS)]
    leave = [
        _down_block(c728, c728, c1024),
        *_separable(c1024, c1536),
        nn.ReLU(inplace=True),
        *_separable(c1536, c2048),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*entry, *middle, *leave, GlobalAveragePool()), c2048
