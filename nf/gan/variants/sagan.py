"""SAGAN (Zhang et al., 2019): residual networks with self-attention, spectral norm on both, hinge loss."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nf.gan.definition import GanConfig, GanDefinition, GanPair, ImageShape, Terms, normal_prior
from nf.gan.losses import generator_loss, hinge_d_loss, hinge_naturalness_loss
from nf.gan.networks.resnet import ResnetDiscriminator, ResnetGenerator


@dataclass(frozen=True)
class SaganConfig(GanConfig):
    """Settings of ``GanConfig``, with its defaults."""


def _generator(config: SaganConfig, shape: ImageShape) -> nn.Module:
    return ResnetGenerator(config.latent_dim, config.generator_channels, shape, attention=True)


def _discriminator(config: SaganConfig, shape: ImageShape) -> nn.Module:
    return ResnetDiscriminator(config.discriminator_channels, shape, attention=True)


def _d_loss(pair: GanPair[SaganConfig], images: Tensor, labels: Tensor, z: Tensor, fake_labels: Tensor) -> Terms:
    with torch.no_grad():
        fakes = pair.generate(z, fake_labels)
    # One pass over both halves: the discriminator has no batch norm, so they do not influence each other.
    logits = pair.discriminate(torch.cat([images, fakes]), torch.cat([labels, fake_labels]))
    return {"adversarial": hinge_d_loss(logits[: len(images)], logits[len(images) :])}


def _g_loss(pair: GanPair[SaganConfig], z: Tensor, labels: Tensor) -> Terms:
    return {"adversarial": generator_loss(pair.discriminate(pair.generate(z, labels), labels))}


SAGAN = GanDefinition(
    name="sagan",
    config=SaganConfig,
    conditional=True,
    generator=_generator,
    discriminator=_discriminator,
    spectral_generator=True,
    spectral_discriminator=True,
    d_loss=_d_loss,
    g_loss=_g_loss,
    graph_capturable=True,
    naturalness_loss=hinge_naturalness_loss,
    prior=normal_prior,
)
