"""ContraGAN (Kang and Park, 2020): images of one class are drawn together, and away from those of other classes."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from nf.gan.definition import GanDefinition, normal_prior
from nf.gan.losses import hinge_naturalness_loss
from nf.gan.variants._biggan import MetricConfig, big_generator, metric_d_loss, metric_discriminator, metric_g_loss


@dataclass(frozen=True)
class ContraGanConfig(MetricConfig):
    """Settings of ``MetricConfig``, with its defaults."""


def conditional_contrastive_loss(embeddings: Tensor, proxies: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """The 2C loss (section 3.2): how little of an image's similarity goes to its proxy and its class.

    Args:
        embeddings: (N, D) unit vectors of the images.
        proxies: (N, D) unit vectors: each row the proxy of that image's class.
        labels: (N,) int64 class of each image.
        temperature: divisor of similarities, positive.

    Returns:
        A scalar, at least zero; zero where there is one class only.
    """
    same_image = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    others = ((embeddings @ embeddings.T) / temperature).masked_fill(same_image, -math.inf)
    own_class = others.masked_fill(labels[:, None] != labels, -math.inf)
    proxy = (embeddings * proxies).sum(1, keepdim=True) / temperature
    everything = torch.logsumexp(torch.cat([proxy, others], dim=1), dim=1)
    return (everything - torch.logsumexp(torch.cat([proxy, own_class], dim=1), dim=1)).mean()


def _comparison(embeddings: Tensor, proxies: Tensor, labels: Tensor, config: ContraGanConfig) -> Tensor:
    return conditional_contrastive_loss(embeddings, proxies, labels, config.temperature)


CONTRAGAN = GanDefinition(
    name="contragan",
    config=ContraGanConfig,
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
