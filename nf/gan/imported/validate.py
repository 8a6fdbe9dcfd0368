"""The checks that a GAN from outside must pass before it is imported."""

from collections.abc import Callable

import torch
from torch import Tensor

from nf.core.errors import ArtifactError
from nf.core.printing import first_line
from nf.gan.generator import Gan

_BATCH = 5
# The most by which rounding may exceed the stated range of pixels, in units of [0, 1].
_SLACK = 1e-3
_TOLERANCE = 1e-4


def inspect_gan(gan: Gan) -> None:
    """Try ``gan`` on a few latents: shape, range, finiteness, determinism, batches of other sizes, differentiability.

    Raises:
        ArtifactError: a network does not do what was stated, or lacks a property that fingerprints need.
    """
    z, labels = gan.sample_latents(_BATCH, torch.Generator().manual_seed(0))
    z.requires_grad_()
    images = _call(gan.generate, "generator", z, labels)
    shape = (_BATCH, gan.shape.channels, gan.shape.image_size, gan.shape.image_size)
    _check_output("generator", images, shape)
    low, high = float(images.detach().min()), float(images.detach().max())
    if low < -_SLACK or high > 1 + _SLACK:
        raise ArtifactError(
            f"generator: expected pixels in the stated range, got {low:.2f} to {high:.2f} of it (0 is its lower end, 1 "
            "its upper); state the range that it has"
        )
    _check_repeats("generator", images, _call(gan.generate, "generator", z, labels))
    _check_repeats("generator", images[:1], _call(gan.generate, "generator", z[:1], labels[:1]))
    _check_gradient("generator", images, z)
    if gan.discriminator is not None:
        given = images.detach().requires_grad_()
        logits = _call(gan.discriminate, "discriminator", given, labels)
        _check_output("discriminator", logits, (_BATCH,))
        _check_repeats("discriminator", logits, _call(gan.discriminate, "discriminator", given, labels))
        _check_repeats("discriminator", logits[:1], _call(gan.discriminate, "discriminator", given[:1], labels[:1]))
        _check_gradient("discriminator", logits, given)


def _call(network: Callable[[Tensor, Tensor], Tensor], name: str, x: Tensor, labels: Tensor) -> Tensor:
    try:
        return network(x, labels)
    except Exception as error:  # a program from outside may raise anything
        raise ArtifactError(
            f"{name}: cannot be called with a batch of {len(x)} of the stated size and classes ({first_line(error)}); "
            "export it with a dynamic first dimension, and state its latent and classes"
        ) from error


def _check_output(name: str, output: Tensor, shape: tuple[int, ...]) -> None:
    if output.dtype != torch.float32 or output.shape != shape:
        raise ArtifactError(f"{name}: expected float32 of shape {shape}, got {output.dtype} {tuple(output.shape)}")
    if not output.isfinite().all():
        raise ArtifactError(f"{name}: expected finite numbers, got {int((~output.isfinite()).sum())} that are not")


def _check_repeats(name: str, first: Tensor, again: Tensor) -> None:
    difference = float((first - again).detach().abs().max())
    if difference > _TOLERANCE * (1 + float(first.detach().abs().max())):
        raise ArtifactError(
            f"{name}: expected equal answers for equal input, whatever else is in the batch, got a difference of "
            f"{difference:.2g}; export it in evaluation mode, without dropout or noise"
        )


def _check_gradient(name: str, output: Tensor, x: Tensor) -> None:
    gradient = torch.autograd.grad(output.square().sum(), x)[0] if output.requires_grad else None
    if gradient is None or not gradient.isfinite().all() or not gradient.flatten(1).abs().sum(1).all():
        raise ArtifactError(
            f"{name}: expected an output that is differentiable in each of its inputs, got no usable gradient; export "
            "it without rounding and outside torch.no_grad"
        )
