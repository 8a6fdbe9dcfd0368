"""The detector: eight convolutions and one linear layer that tell abnormal images from normal ones."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from nf.core.errors import ConfigError
from nf.core.sections import at_least, positive
from nf.data import to_float
from nf.models import ENGINES, random_batches

_CHANNELS = (16, 16, 16, 32, 32, 64, 64, 128)
NORMAL, ABNORMAL = 0, 1


@dataclass(frozen=True)
class DetectorConfig:
    """How the thief trains; the defaults are the paper's, and choices where it gives none.

    Attributes:
        epochs: number of passes over the images.
        batch_size: number of images per update (choice).
        learning_rate: Adam's learning rate.
        noise: standard deviation of the noise on noisy images, in units of the [0, 1] range (choice).
        epsilon: length of the FGSM step, in units of the [0, 1] range (choice).
        runs: number of detectors of each kind; results are their mean.
        precision: precision of forward passes while training, as in ``ZooConfig``.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.001
    noise: float = 0.1
    epsilon: float = 8 / 255
    runs: int = 3
    precision: Literal["float32", "bfloat16"] | None = None

    def __post_init__(self) -> None:
        at_least(self, epochs=1, batch_size=1, runs=1)
        positive(self, "learning_rate", "noise", "epsilon")


def train_detector(normal: Tensor, abnormal: Tensor, config: DetectorConfig, *, seed: int) -> nn.Module:
    """Train a detector, in whose loss normal and abnormal images weigh the same, however many there are of each.

    Args:
        normal: (N, C, H, W) uint8, on the device to train on.
        abnormal: (M, C, H, W) uint8, on the same device.
        config: hyper-parameters of the training.
        seed: seed of the weights and of the order of the images.

    Returns:
        The detector, in eval mode.

    Raises:
        ConfigError: there are no normal or no abnormal images.
    """
    for name, part in (("normal", normal), ("abnormal", abnormal)):
        if len(part) == 0:
            raise ConfigError(f"{name} images: expected at least one, got none")
    images = torch.cat([normal, abnormal])
    labels = torch.tensor([NORMAL] * len(normal) + [ABNORMAL] * len(abnormal), device=images.device)
    weight = len(images) / (2 * torch.bincount(labels).float())
    device = images.device
    engine = ENGINES[device.type].at(config.precision)
    network = build_detector(images.shape[1], seed=seed)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = engine.adam(network.parameters(), config.learning_rate)
    generator = torch.Generator(device).manual_seed(seed)
    steps = math.ceil(len(images) / config.batch_size)

    def update(batch: Tensor, wanted: Tensor) -> Tensor:
        with engine.autocast(device):
            loss = functional.cross_entropy(network(batch), wanted, weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    with engine.running(update, device, ()) as step:
        for _ in range(config.epochs):
            for index in random_batches(len(images), steps, generator):
                step(to_float(images[index]).contiguous(memory_format=torch.channels_last), labels[index])
    optimizer.zero_grad()  # gradients would keep the memory of a recorded update alive
    return network.eval()


@torch.no_grad()
def abnormal_share(detector: nn.Module, images: Tensor) -> float:
    """Share in [0, 1] of ``images`` (N, C, H, W) uint8 that ``detector`` calls abnormal."""
    answers = torch.cat([detector(to_float(part)).argmax(dim=1) for part in images.split(512)])
    return float((answers == ABNORMAL).double().mean())


def build_detector(in_channels: int, *, seed: int) -> nn.Module:
    """Build an untrained detector: images (N, C, H, W) float32 in [0, 1] -> logits (N, 2), normal and abnormal."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # not torch.manual_seed: the fence covers no GPU
        return nn.Sequential(*_layers(in_channels))


def _layers(in_channels: int) -> Iterator[nn.Module]:
    """Each group of equal width after the first begins with a stride of two."""
    for before, channels in pairwise((in_channels, *_CHANNELS)):
        stride = 2 if before != channels and before != in_channels else 1
        yield nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
        yield nn.BatchNorm2d(channels)
        yield nn.ReLU()
    yield nn.AdaptiveAvgPool2d(1)
    yield nn.Flatten()
    yield nn.Linear(_CHANNELS[-1], 2)
