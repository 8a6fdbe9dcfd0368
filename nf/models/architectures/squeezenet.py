"""SqueezeNet 1.1 (Iandola et al. 2016) with batch norm, for small images."""

from torch import nn

from nf.models.architectures.blocks import Concat, GlobalAveragePool, conv_bn_relu, halving_pool, scaled

# (squeeze, expand) channels; ``None`` is a 2x2 max-pool.
_LAYOUT = ((16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256))


def _fire(in_channels: int, squeeze: int, expand: int) -> nn.Module:
    """A narrow 1x1 convolution, then 1x1 and 3x3 convolutions side by side."""
    wide = Concat(conv_bn_relu(squeeze, expand, 1), conv_bn_relu(squeeze, expand, 3))
    return nn.Sequential(conv_bn_relu(in_channels, squeeze, 1), wide)


def squeezenet(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """SqueezeNet's body and its number of features; total stride 8, at full size 4."""
    channels = scaled(64, width)
    layers: list[nn.Module] = [conv_bn_relu(in_channels, channels), *halving_pool(full_size)]
    for entry in _LAYOUT:
        if entry is None:
            layers.append(nn.MaxPool2d(2))
            continue
        squeeze, expand = (scaled(size, width) for size in entry)
        layers.append(_fire(channels, squeeze, expand))
        channels = 2 * expand
    return nn.Sequential(*layers, GlobalAveragePool()), channels
