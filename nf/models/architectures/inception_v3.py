"""InceptionV3 (Szegedy et al. 2016) without its auxiliary head, for small images."""

from torch import nn

from nf.models.architectures.blocks import Concat, GlobalAveragePool, Inception, conv_bn_relu, halving_pool, scaled


def _pool_branch(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), conv_bn_relu(in_channels, out_channels, 1))


def _module_a(in_channels: int, pooled: int, width: float) -> tuple[nn.Module, int]:
    """1x1; 5x5; two 3x3; pool (figure 5)."""
    c48, c64, c96 = (scaled(size, width) for size in (48, 64, 96))
    tails = [
        nn.Identity(),
        conv_bn_relu(c48, c64, 5),
        nn.Sequential(conv_bn_relu(c64, c96), conv_bn_relu(c96, c96)),
    ]
    module = Inception(in_channels, (c64, c48, c64), tails, [_pool_branch(in_channels, pooled)])
    return module, 2 * c64 + c96 + pooled


def _reduction_b(in_channels: int, width: float) -> tuple[nn.Module, int]:
    """Halves the maps: 3x3; two 3x3; pool (figure 10)."""
    c64, c96, c384 = (scaled(size, width) for size in (64, 96, 384))
    double = nn.Sequential(conv_bn_relu(in_channels, c64, 1), conv_bn_relu(c64, c96), conv_bn_relu(c96, c96, stride=2))
    module = Concat(conv_bn_relu(in_channels, c384, stride=2), double, nn.MaxPool2d(3, stride=2, padding=1))
    return module, c384 + c96 + in_channels


def _module_c(in_channels: int, inner: int, width: float) -> tuple[nn.Module, int]:
    """1x1; 7x7; two 7x7; pool, each 7x7 as 1x7 and 7x1 (figure 6)."""
    c192 = scaled(192, width)
    single = nn.Sequential(conv_bn_relu(inner, inner, (1, 7)), conv_bn_relu(inner, c192, (7, 1)))
    double = nn.Sequential(
        conv_bn_relu(inner, inner, (7, 1)),
        conv_bn_relu(inner, inner, (1, 7)),
        conv_bn_relu(inner, inner, (7, 1)),
        conv_bn_relu(inner, c192, (1, 7)),
    )
    tails = [nn.Identity(), single, double]
    return Inception(in_channels, (c192, inner, inner), tails, [_pool_branch(in_channels, c192)]), 4 * c192


def _reduction_d(in_channels: int, width: float) -> tuple[nn.Module, int]:
    """Halves the maps: 3x3; 7x7 and 3x3; pool."""
    c192, c320 = scaled(192, width), scaled(320, width)
    long = nn.Sequential(
        conv_bn_relu(c192, c192, (1, 7)), conv_bn_relu(c192, c192, (7, 1)), conv_bn_relu(c192, c192, stride=2)
    )
    tails = [conv_bn_relu(c192, c320, stride=2), long]
    module = Inception(in_channels, (c192, c192), tails, [nn.MaxPool2d(3, stride=2, padding=1)])
    return module, c320 + c192 + in_channels


def _module_e(in_channels: int, width: float) -> tuple[nn.Module, int]:
    """1x1; 3x3; two 3x3; pool, the last 3x3 as 1x3 and 3x1 side by side (figure 7)."""
    c192, c320, c384, c448 = (scaled(size, width) for size in (192, 320, 384, 448))

    def fork() -> nn.Module:
        return Concat(conv_bn_relu(c384, c384, (1, 3)), conv_bn_relu(c384, c384, (3, 1)))

    tails = [nn.Identity(), fork(), nn.Sequential(conv_bn_relu(c448, c384), fork())]
    module = Inception(in_channels, (c320, c384, c448), tails, [_pool_branch(in_channels, c192)])
    return module, c320 + 4 * c384 + c192


def _stem(in_channels: int, width: float, full_size: bool) -> tuple[nn.Module, int]:
    """The five convolutions of the published stem (table 1) halved once instead of three times, or not at all."""
    c32, c64, c80, c192 = (scaled(size, width) for size in (32, 64, 80, 192))
    stem = nn.Sequential(
        conv_bn_relu(in_channels, c32),
        conv_bn_relu(c32, c32, padding=0),
        conv_bn_relu(c32, c64),
        *halving_pool(full_size),
        conv_bn_relu(c64, c80, 1),
        conv_bn_relu(c80, c192, padding=0),
    )
    return stem, c192


def inception_v3(*, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """InceptionV3's body and its number of features; total stride 8, at full size 4."""
    stem, channels = _stem(in_channels, width, full_size)
    layers = [stem]
    for pooled in (32, 64, 64):
        module, channels = _module_a(channels, scaled(pooled, width), width)
        layers.append(module)
    module, channels = _reduction_b(channels, width)
    layers.append(module)
    for inner in (128, 160, 160, 192):
        module, channels = _module_c(channels, scaled(inner, width), width)
        layers.append(module)
    module, channels = _reduction_d(channels, width)
    layers.append(module)
    for _ in range(2):
        module, channels = _module_e(channels, width)
        layers.append(module)
    return nn.Sequential(*layers, GlobalAveragePool()), channels
