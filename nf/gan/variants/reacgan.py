"""ReACGAN (Kang et al., 2021): like ContraGAN, but pairs that are separated well enough no longer count."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from nf.core.errors import ConfigError
from nf.gan.definition import GanDefinition, normal_prior
from nf.gan.losses import hinge_naturalness_loss
from nf.gan.variants._biggan import MetricConfig, big_generator, metric_d_loss, metric_discriminator, metric_g_loss


@dataclass(frozen=True)
class ReacGanConfig(MetricConfig):
    """Settings of ``MetricConfig`` with the defaults of ReACGAN, and the margin of its loss.

    Attributes:
        batch_size: number of images per update.
        learning_rate_g: Adam's learning rate for the generator.
        learning_rate_d: Adam's learning rate for the discriminator.
        temperature: divisor of similarities, positive.
        metric_weight: weight of the comparison in both losses.
        margin: similarity in [0, 1] to the own proxy, or dissimilarity from images of another class, from which on an
            image costs nothing.
    """

    batch_size: int = 128
    learning_rate_g: float = 2.83e-4
    learning_rate_d: float = 2.83e-4
    temperature: float = 0.5
    metric_weight: float = 0.5
    margin: float = 0.98

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.margin <= 1:
            raise ConfigError(f"margin: expected a number in [0, 1], got {self.margin}")


def data_to_data_cross_entropy(
    embeddings: Tensor, proxies: Tensor, labels: Tensor, *, temperature: float, margin: float
) -> Tensor:
    """D2D-CE (section 3.2): cross-entropy of the own proxy against images of other classes.

    Similarity to the proxy counts up to ``margin``, similarity to images of other classes from 1 - ``margin``.

    Args:
        embeddings: (N, D) unit vectors of the images.
        proxies: (N, D) unit vectors: each row the proxy of that image's class.
        labels: (N,) int64 class of each image.
        temperature: divisor of similarities, positive.
        margin: bound of the similarities that count, in [0, 1].

    Returns:
        A scalar, at least zero; zero where there is one class only.
    """
    easy = torch.clamp((embeddings * proxies).sum(1, keepdim=True) - margin, max=0) / temperature
    hard = torch.clamp(embeddings @ embeddings.T - (1 - margin), min=0) / temperature
    others = hard.masked_fill(labels[:, None] == labels, -math.inf)
    return (torch.logsumexp(torch.cat([easy, others], dim=1), dim=1) - easy.squeeze(1)).mean()


def _comparison(embeddings: Tensor, proxies: Tensor, labels: Tensor, config: ReacGanConfig) -> Tensor:
    return data_to_data_cross_entropy(embeddings, proxies, labels, temperature=config.temperature, margin=config.margin)


REACGAN = GanDefinition(
    name="reacgan",
    config=ReacGanConfig,
    conditional=True,
    generator=big_generator,
    discriminator=metric_discriminator,
    spectral_generator=True,
    spectral_discriminator=True,
    d_loss=partial(metric_d_loss, comparison=_comparison),
    g_loss=partial(metric_g_loss, comparison=_comparison),
    graph_capturable=True,
    naturalness_loss=hinge_naturalness_loss,
    prior=normal_prior,
)
