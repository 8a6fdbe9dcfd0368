"""LOGAN (Wu et al., 2019): in training, latents first take a step up the discriminator's logit; no classes.

The step is part of both losses, so both networks learn through it. Later, images are drawn from the prior without it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nf.core.errors import ConfigError
from nf.core.sections import positive
from nf.gan.definition import GanConfig, GanDefinition, GanPair, ImageShape, Terms, uniform_prior
from nf.gan.losses import generator_loss, hinge_d_loss, hinge_naturalness_loss
from nf.gan.networks.resnet import ResnetDiscriminator, ResnetGenerator


@dataclass(frozen=True)
class LoganConfig(GanConfig):
    """Settings of ``GanConfig`` and of the latents' step.

    Attributes:
        step_size: factor alpha of the natural gradient.
        step_damping: damping beta of the natural gradient, above 0.
        step_rate: share of the latents that take the step, in [0, 1].
        step_weight: weight of the mean squared length of the steps in both losses.
    """

    step_size: float = 0.9
    step_damping: float = 0.1
    step_rate: float = 0.8
    step_weight: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "step_damping")
        if not 0 <= self.step_rate <= 1:
            raise ConfigError(f"step_rate: expected a number in [0, 1], got {self.step_rate}")


def natural_step(score: Callable[[Tensor], Tensor], z: Tensor, *, size: float, damping: float) -> Tensor:
    """Step of each latent up its score along the natural gradient: size g / (damping + |g|^2).

    Args:
        score: function from latents (N, D) to scores (N,).
        z: (N, D) latents at which the step begins.
        size: factor alpha of the natural gradient.
        damping: damping beta of the natural gradient, above 0.

    Returns:
        (N, D) steps, differentiable with respect to whatever ``score`` depends on.
    """
    z = z.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(z).sum(), z, create_graph=True)
    return size * gradient / (damping + gradient.square().sum(1, keepdim=True))


def _optimised(pair: GanPair[LoganConfig], z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Latents (N, D) after the step, kept in the range of the prior, and the weighted cost of the way."""
    config = pair.config

    def score(latents: Tensor) -> Tensor:
        return pair.discriminate(pair.generate(latents, labels), labels)

    moving = (torch.rand(len(z), 1, generator=pair.rng) < config.step_rate).to(z.device)
    step = moving * natural_step(score, z, size=config.step_size, damping=config.step_damping)
    return (z + step).clamp(-1, 1), config.step_weight * step.square().sum(1).mean()


def _generator(config: LoganConfig, shape: ImageShape) -> nn.Module:
    return ResnetGenerator(config.latent_dim, config.generator_channels, shape, attention=False)


def _discriminator(config: LoganConfig, shape: ImageShape) -> nn.Module:
    return ResnetDiscriminator(config.discriminator_channels, shape, attention=False)


def _d_loss(pair: GanPair[LoganConfig], images: Tensor, labels: Tensor, z: Tensor, fake_labels: Tensor) -> Terms:
    latents, cost = _optimised(pair, z, fake_labels)
    logits = pair.discriminate(
        torch.cat([images, pair.generate(latents, fake_labels)]), torch.cat([labels, fake_labels])
    )
    return {"adversarial": hinge_d_loss(logits[: len(images)], logits[len(images) :]), "step": cost}


def _g_loss(pair: GanPair[LoganConfig], z: Tensor, labels: Tensor) -> Terms:
    latents, cost = _optimised(pair, z, labels)
    return {"adversarial": generator_loss(pair.discriminate(pair.generate(latents, labels), labels)), "step": cost}


LOGAN = GanDefinition(
    name="logan",
    config=LoganConfig,
    conditional=False,
    generator=_generator,
    discriminator=_discriminator,
    spectral_generator=False,
    spectral_discriminator=True,
    d_loss=_d_loss,
    g_loss=_g_loss,
    graph_capturable=False,
    naturalness_loss=hinge_naturalness_loss,
    prior=uniform_prior,
)
