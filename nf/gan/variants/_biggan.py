"""Code that ContraGAN, ICRGAN and ReACGAN share: their size, and for two of them a comparing discriminator."""

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
    """Settings of ``GanConfig`` with the sizes of these GANs.

    The numbers of channels are four and two times the 96 that the benchmarks of these GANs state.

    Attributes:
        latent_dim: number of dimensions of a latent z.
        generator_channels: number of channels of the generator's feature maps, a multiple of 8.
        discriminator_channels: number of channels of the discriminator's feature maps, a multiple of 8.
        ema_decay: decay in [0, 1) of the running average of the generator's weights; ``None`` keeps no average.
    """

    latent_dim: int = 80
    generator_channels: int = 384
    discriminator_channels: int = 192
    ema_decay: float | None = 0.9999


@dataclass(frozen=True)
class MetricConfig(BigGanConfig):
    """Settings of ``BigGanConfig`` and of the comparison of images.

    Attributes:
        embedding_dim: number of dimensions of the embeddings in which images are compared.
        temperature: divisor of similarities, positive.
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
"""(embeddings (N, D), proxies (N, D), labels (N,), config) -> scalar loss."""


def big_generator(config: BigGanConfig, shape: ImageShape) -> nn.Module:
    """Build the generator of ContraGAN, ICRGAN and ReACGAN."""
    return BigResnetGenerator(config.latent_dim, config.generator_channels, shape)


def metric_discriminator(config: MetricConfig, shape: ImageShape) -> nn.Module:
    """Build the discriminator of ContraGAN and ReACGAN."""
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
    """Loss of the discriminator: hinge loss, and the ``comparison`` of real images with each other and with proxies."""
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
    """Loss of the generator: hinge loss, and the ``comparison`` of its images with each other and with proxies."""
    judged = _judge(pair, pair.generate(z, labels), labels)
    compared = comparison(judged.embeddings, judged.proxies, labels, pair.config)
    return {"adversarial": generator_loss(judged.logits), "metric": pair.config.metric_weight * compared}


def _judge(pair: GanPair[M], images: Tensor, labels: Tensor) -> Judgement:
    return cast(MetricDiscriminator, pair.discriminator).judge(pair.augment(images), labels)
