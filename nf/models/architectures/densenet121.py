"""DenseNet121 (Huang et al. 2017) for small images."""

import torch
from torch import Tensor, nn

from nf.models.architectures.blocks import GlobalAveragePool, conv_bn_relu, halving_pool, scaled

_DEPTHS = (6, 12, 24, 16)
_GROWTH = 32
_BOTTLENECK = 4


def _norm_relu(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class _DenseLayer(nn.Module):
    """Adds ``growth`` maps, computed from all maps so far, to them (section 3, bottleneck layers)."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_norm_relu(in_channels),
            conv_bn_relu(in_channels, _BOTTLENECK * growth, 1),
            nn.Conv2d(_BOTTLENECK * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + growth, H, W)."""
        return torch.cat((x, self.layers(x)), dim=1)


def densenet121(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """DenseNet121's body and its number of features; total stride 16, at full size 8."""
    growth = scaled(_GROWTH, width, least=4)
    channels = 2 * growth
    layers: list[nn.Module] = [conv_bn_relu(in_channels, channels), *halving_pool(full_size)]
    for stage, depth in enumerate(_DEPTHS):
        if stage > 0:
            transition = nn.Conv2d(channels, channels // 2, 1, bias=False)
            layers += [*_norm_relu(channels), transition, nn.AvgPool2d(2)]
            channels //= 2
        layers += [_DenseLayer(channels + index * growth, growth) for index in range(depth)]
        channels += depth * growth
    return nn.Sequential(*layers, *_norm_relu(channels), GlobalAveragePool()), channels
