"""WGAN-GP (Gulrajani et al., 2017): a critic without norms, its slope held near 1 by a penalty; no classes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nf.core.sections import at_least
from nf.gan.definition import GanConfig, GanDefinition, GanPair, ImageShape, Terms, normal_prior
from nf.gan.losses import generator_loss, wasserstein_d_loss, wasserstein_naturalness_loss
from nf.gan.networks.resnet import ResnetDiscriminator, ResnetGenerator


@dataclass(frozen=True)
class WganGpConfig(GanConfig):
    """Settings of ``GanConfig`` and of the penalty.

    Attributes:
        penalty_weight: weight lambda of the penalty (equation 3).
    """

    penalty_weight: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, penalty_weight=0)


def gradient_penalty(critic: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """How far the critic's slope is from 1: mean (|grad critic(x)| - 1)^2 (equation 3, without its weight).

    Args:
        critic: function from images (N, C, H, W) to values (N,), each independent of the other images.
        images: (N, C, H, W) images at which the slope is taken.

    Returns:
        A scalar, differentiable with respect to the critic's weights.
    """
    points = images.detach().requires_grad_(True)
    (slopes,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    penalty: Tensor = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
    return penalty


def _generator(config: WganGpConfig, shape: ImageShape) -> nn.Module:
    return ResnetGenerator(config.latent_dim, config.generator_channels, shape, attention=False)


def _discriminator(config: WganGpConfig, shape: ImageShape) -> nn.Module:
    return ResnetDiscriminator(config.discriminator_channels, shape, attention=False)


def _d_loss(pair: GanPair[WganGpConfig], images: Tensor, labels: Tensor, z: Tensor, fake_labels: Tensor) -> Terms:
    with torch.no_grad():
        fakes = pair.generate(z, fake_labels)
    # The penalty is taken between images as the critic was given them, so all are shifted beforehand.
    real, fake = pair.augment(images), pair.augment(fakes)
    logits = pair.discriminator(torch.cat([real, fake]), torch.cat([labels, fake_labels]))
    mixing = torch.rand(len(real), 1, 1, 1, generator=pair.rng).to(real.device)
    between = real.lerp(fake, mixing)
    penalty = gradient_penalty(lambda points: pair.discriminator(points, labels), between)
    return {
        "adversarial": wasserstein_d_loss(logits[: len(real)], logits[len(real) :]),
        "penalty": pair.config.penalty_weight * penalty,
    }


def _g_loss(pair: GanPair[WganGpConfig], z: Tensor, labels: Tensor) -> Terms:
    return {"adversarial": generator_loss(pair.discriminate(pair.generate(z, labels), labels))}


WGAN_GP = GanDefinition(
    name="wgan_gp",
    config=WganGpConfig,
    conditional=False,
    generator=_generator,
    discriminator=_discriminator,
    spectral_generator=False,
    spectral_discriminator=False,
    d_loss=_d_loss,
    g_loss=_g_loss,
    graph_capturable=False,
    naturalness_loss=wasserstein_naturalness_loss,
    prior=normal_prior,
)
