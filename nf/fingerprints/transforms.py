"""Differentiable input transforms: a query must keep its labels under each (paper, section 3.2).

One transform is drawn for the whole batch, and its parameters (the noise, too) are the same for every image of it. So
what happens to one image does not depend on which others are in its batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nf.core.errors import UnknownNameError


@dataclass(frozen=True)
class Strength:
    """How strong the transforms are.

    Attributes:
        noise: standard deviation of the Gaussian noise, in units of the [0, 1] range.
        translation: longest shift in pixels, in each direction.
        translation_probability: how often a translation shifts at all.
        shear: largest shift of the image's border per unit of the other axis.
    """

    noise: float = 0.02
    translation: int = 4
    translation_probability: float = 0.5
    shear: float = 0.1


Transform = Callable[[Tensor, torch.Generator, Strength], Tensor]


def identity(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """The images as they are."""
    del generator, strength
    return images


def flip(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Mirror left and right. Not for images whose mirror image is another class, such as digits."""
    del generator, strength
    return images.flip(3)


def noise(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Add one draw of Gaussian noise to every image."""
    draw = torch.randn(images.shape[1:], generator=generator).to(images)
    return images + strength.noise * draw


def translate(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Shift by whole pixels up to ``strength.translation``, filled with zeros, or leave as they are."""
    limit, (height, width) = strength.translation, images.shape[2:]
    moved = torch.rand((), generator=generator).item() < strength.translation_probability
    down, right = torch.randint(-limit, limit + 1, (2,), generator=generator).tolist()
    if not moved:
        return images
    padded = functional.pad(images, (limit, limit, limit, limit))
    return padded[:, :, limit - down : limit - down + height, limit - right : limit - right + width]


def shear(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Shear along both axes by a factor in [-shear, shear] each, bilinear, filled with zeros."""
    along_x, along_y = ((torch.rand(2, generator=generator) * 2 - 1) * strength.shear).tolist()
    theta = images.new_tensor([[1.0, along_x, 0.0], [along_y, 1.0, 0.0]])
    grid = functional.affine_grid(theta.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


TRANSFORMS: dict[str, Transform] = {
    "identity": identity,
    "flip": flip,
    "noise": noise,
    "translate": translate,
    "shear": shear,
}
DETERMINISTIC = frozenset({"identity", "flip"})


def check_transforms(names: Sequence[str]) -> None:
    """Check that ``names`` are transforms.

    Raises:
        ValueError: there are none.
        UnknownNameError: one is not a key of ``TRANSFORMS``.
    """
    if not names:
        raise ValueError(f"transforms: expected at least one of {', '.join(TRANSFORMS)}, got none")
    for name in names:
        if name not in TRANSFORMS:
            raise UnknownNameError("transform", name, TRANSFORMS)


def random_transform(images: Tensor, names: Sequence[str], generator: torch.Generator, strength: Strength) -> Tensor:
    """Apply one transform, drawn uniformly from ``names``, to the whole batch.

    Args:
        images: (N, C, H, W) around [0, 1].
        names: keys of ``TRANSFORMS``.
        generator: on the CPU, so that every device sees the same draws.
        strength: see ``Strength``.

    Returns:
        (N, C, H, W), differentiable in ``images``; noise may leave [0, 1] by a little.
    """
    choice = int(torch.randint(len(names), (), generator=generator))
    return TRANSFORMS[names[choice]](images, generator, strength)
