"""EfficientNet-B0 (Tan and Le 2019) for small images."""

from torch import nn

from nf.models.architectures.blocks import GlobalAveragePool, SqueezeExcite, conv_bn, inverted_residual, scaled

# (expansion, channels, blocks, stride of the first block, kernel): table 1 of the paper but for two strides, see docs.
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 1, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 1, 5),
    (6, 320, 1, 1, 3),
)
_REDUCTION = 4


def efficientnet(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """EfficientNet-B0's body and its number of features; total stride 8, at full size 4."""
    channels = scaled(32, width)
    stem = conv_bn(in_channels, channels, stride=1 if full_size else 2, activation=nn.SiLU(inplace=True))
    layers: list[nn.Module] = [stem]
    for expansion, planes, blocks, first_stride, kernel in _STAGES:
        for index in range(blocks):
            out_channels = scaled(planes, width)
            layers.append(
                inverted_residual(
                    channels,
                    out_channels,
                    expansion=expansion,
                    kernel=kernel,
                    stride=first_stride if index == 0 else 1,
                    activation=nn.SiLU(inplace=True),
                    gate=SqueezeExcite(channels * expansion, max(4, channels // _REDUCTION), nn.SiLU(inplace=True)),
                )
            )
            channels = out_channels
    features = scaled(1280, width)
    layers.append(conv_bn(channels, features, 1, activation=nn.SiLU(inplace=True)))
    return nn.Sequential(*layers, GlobalAveragePool()), features
