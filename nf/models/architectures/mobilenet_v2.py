"""MobileNetV2 (Sandler et al. 2018) for small images."""

from torch import nn

from nf.models.architectures.blocks import GlobalAveragePool, conv_bn, inverted_residual, scaled

# (expansion, channels, blocks, stride of the first block): table 2 of the paper but for two strides, see docs.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 1), (6, 320, 1, 1))


def mobilenet_v2(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """MobileNetV2's body and its number of features; total stride 8, at full size 4."""
    channels = scaled(32, width)
    stem = conv_bn(in_channels, channels, stride=1 if full_size else 2, activation=nn.ReLU6(inplace=True))
    layers: list[nn.Module] = [stem]
    for expansion, planes, blocks, first_stride in _STAGES:
        for index in range(blocks):
            stride = first_stride if index == 0 else 1
            out_channels = scaled(planes, width)
            layers.append(
                inverted_residual(
                    channels, out_channels, expansion=expansion, stride=stride, activation=nn.ReLU6(inplace=True)
                )
            )
            channels = out_channels
    features = scaled(1280, width)
    layers.append(conv_bn(channels, features, 1, activation=nn.ReLU6(inplace=True)))
    return nn.Sequential(*layers, GlobalAveragePool()), features
