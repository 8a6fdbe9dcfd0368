"""ResNet bodies for small images, out of basic or bottleneck blocks, with or without squeeze-and-excitation."""

from collections.abc import Sequence
from typing import Protocol

from torch import nn

from nf.models.architectures.blocks import (
    GlobalAveragePool,
    Residual,
    SqueezeExcite,
    conv_bn,
    conv_bn_relu,
    halving_pool,
    projection,
    scaled,
)

_REDUCTION = 16
_BOTTLENECK_EXPANSION = 4


class Block(Protocol):
    """Makes a residual block of ``planes`` inner channels and says how many channels leave it."""

    def __call__(self, in_channels: int, planes: int, stride: int) -> tuple[nn.Module, int]:
        """(block, its output channels)."""
        ...


def basic_block(in_channels: int, planes: int, stride: int) -> tuple[nn.Module, int]:
    """Two 3x3 convolutions (He et al. 2016, figure 5 left)."""
    main = nn.Sequential(conv_bn_relu(in_channels, planes, stride=stride), conv_bn(planes, planes))
    return Residual(main, projection(in_channels, planes, stride), nn.ReLU(inplace=True)), planes


def se_basic_block(in_channels: int, planes: int, stride: int) -> tuple[nn.Module, int]:
    """A basic block whose result is gated per channel before the sum (Hu et al. 2018, figure 3)."""
    gate = SqueezeExcite(planes, max(4, planes // _REDUCTION), nn.ReLU(inplace=True))
    main = nn.Sequential(conv_bn_relu(in_channels, planes, stride=stride), conv_bn(planes, planes), gate)
    return Residual(main, projection(in_channels, planes, stride), nn.ReLU(inplace=True)), planes


def bottleneck(in_channels: int, planes: int, stride: int) -> tuple[nn.Module, int]:
    """1x1, 3x3 and 1x1 convolutions, four times wider at the ends (He et al. 2016, figure 5 right)."""
    out_channels = planes * _BOTTLENECK_EXPANSION
    main = nn.Sequential(
        conv_bn_relu(in_channels, planes, 1),
        conv_bn_relu(planes, planes, stride=stride),
        conv_bn(planes, out_channels, 1),
    )
    return Residual(main, projection(in_channels, out_channels, stride), nn.ReLU(inplace=True)), out_channels


def resnet(
    block: Block, depths: Sequence[int], *, width: float, in_channels: int, full_size: bool
) -> tuple[nn.Module, int]:
    """Four stages of ``depths`` blocks behind a 3x3 convolution and a 2x2 max-pool; total stride 16, without it 8."""
    channels = scaled(64, width)
    layers: list[nn.Module] = [conv_bn_relu(in_channels, channels), *halving_pool(full_size)]
    for stage, depth in enumerate(depths):
        planes = scaled(64 * 2**stage, width)
        for index in range(depth):
            layer, channels = block(channels, planes, 2 if stage > 0 and index == 0 else 1)
            layers.append(layer)
    return nn.Sequential(*layers, GlobalAveragePool()), channels
