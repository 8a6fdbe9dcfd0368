"""GoogLeNet (Szegedy et al. 2015) with batch norm, for small images."""

from torch import nn

from nf.models.architectures.blocks import GlobalAveragePool, Inception, conv_bn_relu, halving_pool, scaled

# Channels of (1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, pooled) in table 1 of the paper; ``None`` is a 2x2 max-pool.
_LAYOUT = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    None,
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    None,
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)


def googlenet(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """GoogLeNet's body and its number of features; total stride 8, at full size 4."""
    stem, channels = scaled(64, width), scaled(192, width)
    layers: list[nn.Module] = [
        conv_bn_relu(in_channels, stem),
        *halving_pool(full_size),
        conv_bn_relu(stem, stem, 1),
        conv_bn_relu(stem, channels),
    ]
    for entry in _LAYOUT:
        if entry is None:
            layers.append(nn.MaxPool2d(2))
            continue
        point, reduced_3, out_3, reduced_5, out_5, pooled = (scaled(size, width) for size in entry)
        # The 5x5 convolution is a 3x3 one, as in torchvision.
        tails = [nn.Identity(), conv_bn_relu(reduced_3, out_3), conv_bn_relu(reduced_5, out_5)]
        pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv_bn_relu(channels, pooled, 1))
        layers.append(Inception(channels, (point, reduced_3, reduced_5), tails, [pool]))
        channels = point + out_3 + out_5 + pooled
    return nn.Sequential(*layers, GlobalAveragePool()), channels
