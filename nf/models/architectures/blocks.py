"""What the architectures share: channel rounding, convolution units, residual sums, branches, gates, initialisation.

Nothing here branches on a tensor, so every network can be traced by ``torch.fx`` and exported with a dynamic batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def scaled(channels: int, width: float, *, least: int = 8) -> int:
    """``channels`` times ``width``, rounded to a multiple of four, at least ``least``; unchanged at width 1.

    Four, because every published channel count is a multiple of four and halves (ShuffleNetV2) stay whole.
    """
    return max(least, 4 * int(channels * width / 4 + 0.5))


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """Convolution without bias, batch norm, activation.

    Args:
        in_channels: channels of the input maps.
        out_channels: channels of the output maps.
        kernel: side of the filters in pixels, or their height and width.
        stride: step of the convolution in pixels.
        padding: pixels of zeros on each side; by default the number that keeps the size at stride 1.
        groups: number of groups that the channels are convolved in.
        activation: last layer; ``None`` for a linear unit.
    """
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    pad = (height // 2, width // 2) if padding is None else padding
    convolution = nn.Conv2d(in_channels, out_channels, (height, width), stride, pad, groups=groups, bias=False)
    layers = [convolution, nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers) if activation is None else nn.Sequential(*layers, activation)


def conv_bn_relu(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    padding: int | None = None,
) -> nn.Sequential:
    """``conv_bn`` with a ReLU as activation."""
    relu = nn.ReLU(inplace=True)
    return conv_bn(in_channels, out_channels, kernel, stride=stride, padding=padding, activation=relu)


def halving_pool(full_size: bool) -> list[nn.Module]:
    """The 2x2 max-pool of a stem that halves the image, or nothing."""
    return [] if full_size else [nn.MaxPool2d(2)]


def depthwise(channels: int, kernel: int, *, stride: int, activation: nn.Module | None) -> nn.Sequential:
    """``conv_bn`` with one filter per channel, as many groups as channels."""
    return conv_bn(channels, channels, kernel, stride=stride, groups=channels, activation=activation)


class GlobalAveragePool(nn.Module):
    """(N, C, H, W) -> (N, C), whatever the size of the maps."""

    def forward(self, x: Tensor) -> Tensor:
        """Mean over height and width."""
        return x.mean((2, 3))


class SqueezeExcite(nn.Module):
    """A gate in (0, 1) per channel, computed from the channels' means (Hu et al. 2018, equations 2 and 3)."""

    def __init__(self, channels: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            GlobalAveragePool(), nn.Linear(channels, hidden), activation, nn.Linear(hidden, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``x`` (N, C, H, W) by its gate."""
        gate: Tensor = self.gate(x)
        return x * gate[:, :, None, None]


class Residual(nn.Module):
    """``activation(main(x) + shortcut(x))``: the sum in ResNet, MobileNetV2, EfficientNet and Xception."""

    def __init__(self, main: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.main = main
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        total: Tensor = self.activation(self.main(x) + self.shortcut(x))
        return total


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The shortcut of a residual block: the identity, or a 1x1 convolution where size or channels change."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return conv_bn(in_channels, out_channels, 1, stride=stride)


def inverted_residual(
    in_channels: int,
    out_channels: int,
    *,
    expansion: int,
    kernel: int = 3,
    stride: int = 1,
    activation: nn.Module,
    gate: nn.Module | None = None,
) -> nn.Module:
    """Expand by a 1x1 convolution, filter per channel, project linearly (MobileNetV2; with ``gate``, EfficientNet)."""
    hidden = in_channels * expansion
    layers: list[nn.Module] = []
    if expansion != 1:
        layers.append(conv_bn(in_channels, hidden, 1, activation=activation))
    layers.append(depthwise(hidden, kernel, stride=stride, activation=activation))
    if gate is not None:
        layers.append(gate)
    layers.append(conv_bn(hidden, out_channels, 1))
    main = nn.Sequential(*layers)
    return Residual(main, nn.Identity(), nn.Identity()) if stride == 1 and in_channels == out_channels else main


class Concat(nn.Module):
    """Branches over one input, concatenated along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, sum of the branches' channels, H', W')."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Inception(nn.Module):
    """Branches that start with a 1x1 convolution, beside ``others`` that do not.

    The 1x1 convolutions read the same input, so they are one convolution whose output is split: the function and the
    parameters of the published drawing in fewer, larger operations, since small images pay per operation.
    """

    def __init__(
        self, in_channels: int, heads: Sequence[int], tails: Sequence[nn.Module], others: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.sizes = list(heads)
        self.head = conv_bn_relu(in_channels, sum(heads), 1)
        self.tails = nn.ModuleList(tails)
        self.others = nn.ModuleList(others)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, sum of the branches' channels, H', W')."""
        parts = torch.split(self.head(x), self.sizes, dim=1)
        branches = [tail(parts[index]) for index, tail in enumerate(self.tails)]
        return torch.cat([*branches, *(other(x) for other in self.others)], dim=1)


def initialise(model: nn.Module) -> None:
    """He initialisation of convolutions; residual blocks start as their shortcut.

    Fan-in, because fan-out is off by the number of groups for depthwise convolutions. The last norm of each residual
    sum starts at zero (Goyal et al. 2017, section 5.1), so that deep narrow networks learn in 150 steps.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, Residual):
            norms = [layer for layer in module.main.modules() if isinstance(layer, nn.BatchNorm2d)]
            nn.init.zeros_(norms[-1].weight)
