"""What ContraGAN, ICRGAN and ReACGAN share: their size, and for two of them a discriminator that compares images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from nf.core.sections import positive
from nf.gan.definition import GanConfig, GanPair, ImageShape, Terms
from nf.gan.losses import generator_loss, hinge_d_loss
from nf.gan.networks.biggan import BigResnetGenerator
from nf.gan.networks.resnet import Judgement, MetricDiscriminator


@dataclass(frozen=True)
class BigGanConfig(GanConfig):
    """See ``GanConfig``; the widths are four and two times the 96 channels that the benchmarks of these GANs state."""

    latent_dim: int = 80
    generator_channels: int = 384
    discriminator_channels: int = 192
    ema_decay: float | None = 0.9999


@dataclass(frozen=True)
class MetricConfig(BigGanConfig):
    """See ``BigGanConfig``.

    Attributes:
        embedding_dim: dimensions in which images are compared.
        temperature: what similarities are divided by.
        metric_weight: weight of the comparison in both losses.
    """

    embedding_dim: int = 512
    temperature: float = 1.0
    metric_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "temperature")


M = TypeVar("M", bound=MetricConfig)
EmbeddingComparison = Callable[[Tensor, Tensor, Tensor, M], Tensor]
"""(embeddings (N, D), proxies (N, D), labels (N,), config) -> scalar."""


def big_generator(config: BigGanConfig, shape: ImageShape) -> nn.Module:
    """The generator of all three."""
    return BigResnetGenerator(config.latent_dim, config.generator_channels, shape)


def metric_discriminator(config: MetricConfig, shape: ImageShape) -> nn.Module:
    """The discriminator of ContraGAN and ReACGAN."""
    return MetricDiscriminator(config.discriminator_channels, shape, attention=True, embedding_dim=config.embedding_dim)


def metric_d_loss(
    pair: GanPair[M],
    images: Tensor,
    labels: Tensor,
    z: Tensor,
    fake_labels: Tensor,
    *,
    comparison: EmbeddingComparison[M],
) -> Terms:
    """Hinge loss, and the ``comparison`` of the real images with each other and with the proxies of their classes."""
    with torch.no_grad():
        fakes = pair.generate(z, fake_labels)
    n = len(images)
    judged = _judge(pair, torch.cat([images, fakes]), torch.cat([labels, fake_labels]))
    compared = comparison(judged.embeddings[:n], judged.proxies[:n], labels, pair.config)
    return {
        "adversarial": hinge_d_loss(judged.logits[:n], judged.logits[n:]),
        "metric": pair.config.metric_weight * compared,
    }


def metric_g_loss(pair: GanPair[M], z: Tensor, labels: Tensor, *, comparison: EmbeddingComparison[M]) -> Terms:
    """Likewise for the generator, on its own images."""
    judged = _judge(pair, pair.generate(z, labels), labels)
    compared = comparison(judged.embeddings, judged.proxies, labels, pair.config)
    return {"adversarial": generator_loss(judged.logits), "metric": pair.config.metric_weight * compared}


def _judge(pair: GanPair[M], images: Tensor, labels: Tensor) -> Judgement:
    return cast(MetricDiscriminator, pair.discriminator).judge(pair.augment(images), labels)
