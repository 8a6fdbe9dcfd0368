"""ShuffleNetV2 x1.0 (Ma et al. 2018) for small images."""

import torch
from torch import Tensor, nn

from nf.models.architectures.blocks import GlobalAveragePool, conv_bn_relu, depthwise, scaled

_STAGES = ((116, 4), (232, 8), (464, 4))


def shuffle(first: Tensor, second: Tensor) -> Tensor:
    """Interleave the channels of two (N, C, H, W) halves.

    Done with the channels innermost, which is one copy where the networks run: in the channels_last format.
    """
    halves = [half.permute(0, 2, 3, 1) for half in (first, second)]
    return torch.stack(halves, dim=-1).flatten(3).permute(0, 3, 1, 2)


def _branch(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        conv_bn_relu(in_channels, channels, 1),
        depthwise(channels, 3, stride=stride, activation=None),
        conv_bn_relu(channels, channels, 1),
    )


class _Unit(nn.Module):
    """Half of the channels pass, the other half are convolved (figure 3c)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = _branch(channels // 2, channels // 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        kept, convolved = x.chunk(2, dim=1)
        return shuffle(kept, self.branch(convolved))


class _DownUnit(nn.Module):
    """Both halves are made by a strided branch (figure 3d)."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.branch = _branch(in_channels, channels // 2, 2)
        self.shortcut = nn.Sequential(
            depthwise(in_channels, 3, stride=2, activation=None), conv_bn_relu(in_channels, channels // 2, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / 2, W / 2)."""
        return shuffle(self.shortcut(x), self.branch(x))


def shufflenet_v2(*, width: float, in_channels: int) -> tuple[nn.Module, int]:
    """ShuffleNetV2's body and its number of features; total stride 8."""
    channels = scaled(24, width)
    layers: list[nn.Module] = [conv_bn_relu(in_channels, channels)]
    for planes, units in _STAGES:
        layers.append(_DownUnit(channels, scaled(planes, width)))
        channels = scaled(planes, width)
        layers += [_Unit(channels) for _ in range(units - 1)]
    features = scaled(1024, width)
    return nn.Sequential(*layers, conv_bn_relu(channels, features, 1), GlobalAveragePool()), features
