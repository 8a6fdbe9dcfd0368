"""ICRGAN (Zhao et al., 2021): a discriminator whose logit a small change of image or latent must not change."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nf.core.sections import at_least
from nf.gan.augment import mirror, translate
from nf.gan.definition import GanDefinition, GanPair, ImageShape, Terms, normal_prior
from nf.gan.losses import generator_loss, hinge_d_loss, hinge_naturalness_loss
from nf.gan.networks.resnet import ResnetDiscriminator
from nf.gan.variants._biggan import BigGanConfig, big_generator

_SHIFT = 1 / 8  # of the image's side


@dataclass(frozen=True)
class IcrGanConfig(BigGanConfig):
    """Settings of ``BigGanConfig`` and of the consistency terms; G is the generator, D the discriminator.

    Attributes:
        real_weight: weight of the difference of D's logits between a real image and its shifted (and, with ``flip``,
            mirrored) copy.
        fake_weight: weight of the difference of D's logits between a generated image and such a copy of it.
        radius: standard deviation of the change of a latent.
        latent_d_weight: weight of the difference of D's logits between the images of a latent and of its neighbour.
        latent_g_weight: weight of the difference between these two images, which G is to make large.
    """

    real_weight: float = 10.0
    fake_weight: float = 10.0
    radius: float = 0.05
    latent_d_weight: float = 20.0
    latent_g_weight: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, real_weight=0, fake_weight=0, radius=0, latent_d_weight=0, latent_g_weight=0)


def d_consistency(
    config: IcrGanConfig, real: Tensor, real_copy: Tensor, fake: Tensor, fake_copy: Tensor, neighbour: Tensor
) -> dict[str, Tensor]:
    """The discriminator's terms (algorithms 1 and 2), from the logits of five batches.

    Args:
        config: weights of the terms.
        real: (N,) logits of real images.
        real_copy: (N,) logits of augmented copies of the same real images.
        fake: (N,) logits of generated images.
        fake_copy: (N,) logits of augmented copies of the same generated images.
        neighbour: (N,) logits of images whose latents lie near those of ``fake``.

    Returns:
        Scalars: ``balanced``, the term of both augmentations, and ``latent``, the term of the changed latents.
    """
    balanced = config.real_weight * F.mse_loss(real, real_copy) + config.fake_weight * F.mse_loss(fake, fake_copy)
    return {"balanced": balanced, "latent": config.latent_d_weight * F.mse_loss(fake, neighbour)}


def g_consistency(fakes: Tensor, neighbours: Tensor, config: IcrGanConfig) -> Tensor:
    """The generator's term (algorithm 2): minus the weighted mean squared difference of images of near latents.

    Args:
        fakes: (N, C, H, W) generated images.
        neighbours: (N, C, H, W) images whose latents lie near those of ``fakes``.
        config: weight of the term.
    """
    return -config.latent_g_weight * F.mse_loss(fakes, neighbours)


def _augmented(pair: GanPair[IcrGanConfig], images: Tensor) -> Tensor:
    mirrored = mirror(images, pair.rng) if pair.config.flip else images
    return translate(mirrored, int(images.shape[-1] * _SHIFT), pair.rng)


def _neighbours(pair: GanPair[IcrGanConfig], z: Tensor) -> Tensor:
    return z + pair.config.radius * torch.randn(z.shape, generator=pair.rng).to(z.device)


def _discriminator(config: IcrGanConfig, shape: ImageShape) -> nn.Module:
    return ResnetDiscriminator(config.discriminator_channels, shape, attention=True)


def _d_loss(pair: GanPair[IcrGanConfig], images: Tensor, labels: Tensor, z: Tensor, fake_labels: Tensor) -> Terms:
    with torch.no_grad():
        fakes = pair.generate(z, fake_labels)
        neighbours = pair.generate(_neighbours(pair, z), fake_labels)
    real, fake = pair.augment(images), pair.augment(fakes)
    batches = (real, _augmented(pair, real), fake, _augmented(pair, fake), pair.augment(neighbours))
    every_label = torch.cat([labels, labels, fake_labels, fake_labels, fake_labels])
    logits = pair.discriminator(torch.cat(batches), every_label).split([len(batch) for batch in batches])
    return {"adversarial": hinge_d_loss(logits[0], logits[2]), **d_consistency(pair.config, *logits)}


def _g_loss(pair: GanPair[IcrGanConfig], z: Tensor, labels: Tensor) -> Terms:
    fakes = pair.generate(z, labels)
    return {
        "adversarial": generator_loss(pair.discriminate(fakes, labels)),
        "latent": g_consistency(fakes, pair.generate(_neighbours(pair, z), labels), pair.config),
    }


ICRGAN = GanDefinition(
    name="icrgan",
    config=IcrGanConfig,
    conditional=True,
    generator=big_generator,
    discriminator=_discriminator,
    spectral_generator=True,
    spectral_discriminator=True,
    d_loss=_d_loss,
    g_loss=_g_loss,
    graph_capturable=False,
    naturalness_loss=hinge_naturalness_loss,
    prior=normal_prior,
)
