"""The fifteen architectures of FingerBench, and one way to build a classifier of each."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import nn

from nf.core.errors import ConfigError, UnknownNameError
from nf.models.architectures.blocks import initialise
from nf.models.architectures.densenet121 import densenet121
from nf.models.architectures.efficientnet import efficientnet
from nf.models.architectures.googlenet import googlenet
from nf.models.architectures.inception_v3 import inception_v3
from nf.models.architectures.mobilenet_v2 import mobilenet_v2
from nf.models.architectures.resnet18 import resnet18
from nf.models.architectures.resnet34 import resnet34
from nf.models.architectures.resnet50 import resnet50
from nf.models.architectures.se_resnet18 import se_resnet18
from nf.models.architectures.shufflenet_v2 import shufflenet_v2
from nf.models.architectures.squeezenet import squeezenet
from nf.models.architectures.vgg13_bn import vgg13_bn
from nf.models.architectures.vgg16_bn import vgg16_bn
from nf.models.architectures.vgg19_bn import vgg19_bn
from nf.models.architectures.xception import xception
from nf.models.classifier import Classifier


class Builder(Protocol):
    """Builds the body of an architecture."""

    def __call__(self, *, width: float, in_channels: int) -> tuple[nn.Module, int]:
        """Build the body.

        Args:
            width: factor on the published number of channels of every layer.
            in_channels: channels of the images: 1 or 3.

        Returns:
            The body, from (N, C, H, W) to (N, features), and its number of features.
        """
        ...


ARCHITECTURES: dict[str, Builder] = {
    "densenet121": densenet121,
    "efficientnet": efficientnet,
    "googlenet": googlenet,
    "inception_v3": inception_v3,
    "mobilenet_v2": mobilenet_v2,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "se_resnet18": se_resnet18,
    "shufflenet_v2": shufflenet_v2,
    "squeezenet": squeezenet,
    "vgg13_bn": vgg13_bn,
    "vgg16_bn": vgg16_bn,
    "vgg19_bn": vgg19_bn,
    "xception": xception,
}


FULL_SIZE: dict[str, Builder] = {
    "densenet121": partial(densenet121, full_size=True),
    "efficientnet": partial(efficientnet, full_size=True),
    "googlenet": partial(googlenet, full_size=True),
    "inception_v3": partial(inception_v3, full_size=True),
    "mobilenet_v2": partial(mobilenet_v2, full_size=True),
    "resnet18": partial(resnet18, full_size=True),
    "resnet34": partial(resnet34, full_size=True),
    "resnet50": partial(resnet50, full_size=True),
    "se_resnet18": partial(se_resnet18, full_size=True),
    "squeezenet": partial(squeezenet, full_size=True),
}
"""Architectures whose stem halves the image, built without that: larger maps, for up to four times the work."""


def build_body(architecture: str, *, width: float, in_channels: int, full_size: bool = False) -> tuple[nn.Module, int]:
    """Build the body of ``architecture``; arguments as ``build_classifier``.

    Returns:
        The body, from (N, C, H, W) to (N, features), and its number of features.

    Raises:
        UnknownNameError: there is no such architecture, or its stem halves nothing and it is wanted at full size.
    """
    if architecture not in ARCHITECTURES:
        raise UnknownNameError("architecture", architecture, ARCHITECTURES)
    if full_size and architecture not in FULL_SIZE:
        raise UnknownNameError("architecture whose stem halves the image", architecture, FULL_SIZE)
    builders = FULL_SIZE if full_size else ARCHITECTURES
    return builders[architecture](width=width, in_channels=in_channels)


def build_classifier(
    architecture: str,
    *,
    width: float,
    in_channels: int,
    num_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int | None,
    full_size: bool = False,
) -> Classifier:
    """An untrained classifier on the CPU; equal arguments give equal weights, and no global generator moves.

    Args:
        architecture: key of ``ARCHITECTURES``.
        width: factor on the published number of channels of every layer; 1 is the published network.
        in_channels: channels of the images: 1 or 3.
        num_classes: number of logits, at least 2.
        mean: mean of each channel, in units of the [0, 1] range.
        std: standard deviation of each channel, positive, in units of the [0, 1] range.
        seed: seed of the initial weights, in [0, 2**63). With ``None`` the weights are left to be filled in and nothing
            is drawn, so that several threads may build at once.
        full_size: whether the stem leaves out the halving of the image; only for keys of ``FULL_SIZE``.

    Raises:
        UnknownNameError: there is no such architecture, or its stem halves nothing and it is wanted at full size.
        ConfigError: another argument is out of its range.
    """
    _check(width, in_channels, num_classes, mean, std)

    def assemble() -> Classifier:
        body, feature_dim = build_body(architecture, width=width, in_channels=in_channels, full_size=full_size)
        return Classifier(body, feature_dim, num_classes, mean, std)

    if seed is None:
        with torch.device("meta"):
            classifier = assemble()
        return classifier.to_empty(device="cpu")
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would also seed the generators of every GPU, outside the fence.
        torch.default_generator.manual_seed(seed)
        classifier = assemble()
        initialise(classifier)
    return classifier


def _check(width: float, in_channels: int, num_classes: int, mean: Sequence[float], std: Sequence[float]) -> None:
    if not 0 < width < math.inf:
        raise ConfigError(f"width: expected more than 0 and finite, got {width}")
    if in_channels not in (1, 3):
        raise ConfigError(f"in_channels: expected 1 or 3, got {in_channels}")
    if num_classes < 2:
        raise ConfigError(f"num_classes: expected at least 2, got {num_classes}")
    for name, values in (("mean", mean), ("std", std)):
        if len(values) != in_channels:
            raise ConfigError(f"{name}: expected {in_channels} values, one per channel, got {len(values)}")
    if min(std) <= 0:
        raise ConfigError(f"std: expected positive values, got {min(std)}")
