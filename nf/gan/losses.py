"""Adversarial losses on discriminator logits."""

from typing import Literal

import torch
from torch import Tensor

Sign = Literal["published", "corrected"]


def hinge_d_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Hinge loss of a discriminator: mean relu(1 - real) + mean relu(1 + fake).

    Args:
        real_logits: (N,) logits of real images.
        fake_logits: (M,) logits of generated images.

    Returns:
        A scalar, zero once every real logit is above 1 and every fake one below -1.
    """
    return torch.relu(1 - real_logits).mean() + torch.relu(1 + fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Loss of a generator, against a hinge discriminator or a critic: minus the mean (N,) logit of its images."""
    return -fake_logits.mean()


def hinge_naturalness_loss(logits: Tensor, sign: Sign) -> Tensor:
    """How unnatural a hinge discriminator finds each image: the L_D of NaturalFinger.

    Args:
        logits: (N,) discriminator logits.
        sign: ``published`` is relu(1 + D), Eq. 5 of the paper with y = -1. That is a discriminator's own loss on fakes,
            so descending it makes images look *more* fake. ``corrected`` is relu(1 - D), which makes them look real.

    Returns:
        (N,) losses, at least zero.
    """
    return torch.relu(1 + logits) if sign == "published" else torch.relu(1 - logits)


def wasserstein_d_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Loss of a critic: mean of the (M,) logits of fakes minus mean of the (N,) logits of real images.

    It is minus an estimate of the Wasserstein distance, up to the critic's Lipschitz constant (Arjovsky et al., 2017).
    """
    return fake_logits.mean() - real_logits.mean()


def wasserstein_naturalness_loss(logits: Tensor, sign: Sign) -> Tensor:
    """How unnatural a critic finds each image: the L_D of NaturalFinger for a GAN without a margin.

    Args:
        logits: (N,) values of the critic.
        sign: ``corrected`` is -D, which makes images look real; ``published`` is +D, the critic's own loss on fakes.

    Returns:
        (N,) losses of either sign.
    """
    return logits if sign == "published" else -logits
