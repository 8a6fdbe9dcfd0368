"""Differentiable input transforms: a query must keep its labels under each (paper, section 3.2).

One transform is drawn for the whole batch, and its parameters (the noise, too) are the same for every image of it. So
what happens to one image does not depend on which others are in its batch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nf.core.errors import UnknownNameError
from nf.core.sections import at_least, positive


@dataclass(frozen=True)
class Strength:
    """How strong the transforms are.

    Attributes:
        noise: standard deviation of the Gaussian noise, in units of the [0, 1] range.
        translation: longest shift in pixels, in each direction.
        translation_probability: probability in [0, 1] that a translation shifts at all.
        shear: largest shift of the image's border per unit of the other axis.
        blur: standard deviation of the Gaussian blur in pixels.
        blur_probability: probability in [0, 1] that the Gaussian blur blurs at all.
        uniform_noise: largest value of the uniform noise, in units of the [0, 1] range.
        canvas: side of the canvas that a resized image is laid on, relative to the side of the image.
        smallest: smallest side of the resized image, relative to the side of the image.
        enlarged: largest side that a suspect brings the image to, relative to the side of the image, above 1.
    """

    noise: float = 0.02
    translation: int = 4
    translation_probability: float = 0.5
    shear: float = 0.1
    blur: float = 0.8
    blur_probability: float = 0.7
    uniform_noise: float = 0.05
    canvas: float = 1.25
    smallest: float = 0.75
    enlarged: float = 3.0

    def __post_init__(self) -> None:
        at_least(self, noise=0, translation=0, shear=0, uniform_noise=0)
        positive(self, "blur", "smallest")
        for name in ("translation_probability", "blur_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        if not self.enlarged > 1:
            raise ValueError(f"enlarged: expected more than 1, got {self.enlarged}")
        if not self.smallest < self.canvas:
            raise ValueError(f"canvas: expected more than smallest ({self.smallest}), got {self.canvas}")


Transform = Callable[[Tensor, torch.Generator, Strength], Tensor]


def _beside(draw: Tensor, images: Tensor) -> Tensor:
    """``draw`` on the device and in the type of ``images``; the host does not wait for the copy."""
    return draw.to(images.device, images.dtype, non_blocking=True)


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
    draw = _beside(torch.randn(images.shape[1:], generator=generator), images)
    return images + strength.noise * draw


def translate(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Shift by whole pixels up to ``strength.translation`` and fill with zeros, or leave the images as they are."""
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
    theta = _beside(torch.tensor([[1.0, along_x, 0.0], [along_y, 1.0, 0.0]], dtype=images.dtype), images)
    grid = functional.affine_grid(theta.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


def gaussian_blur(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Blur with a 3x3 Gaussian, or leave the images as they are."""
    if torch.rand((), generator=generator).item() >= strength.blur_probability:
        return images
    side = math.exp(-1 / (2 * strength.blur**2))
    line = _beside(torch.tensor([side, 1.0, side], dtype=images.dtype), images) / (1 + 2 * side)
    return (_neighbours(images) * torch.outer(line, line).view(9, 1, 1)).sum(dim=2)


def average_blur(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """The mean of each pixel's 3x3 neighbours."""
    del generator, strength
    return _neighbours(images).mean(dim=2)


def median_blur(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """The median of each pixel's 3x3 neighbours."""
    del generator, strength
    return _neighbours(images).median(dim=2).values


def _neighbours(images: Tensor) -> Tensor:
    """(N, C, 9, H, W): each pixel with its neighbours, row by row; the border is repeated."""
    count, channels, height, width = images.shape
    patches = functional.unfold(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3)
    return patches.view(count, channels, 9, height, width)


def uniform_noise(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Add one draw of noise from [-uniform_noise, uniform_noise] to every image."""
    draw = _beside(torch.rand(images.shape[1:], generator=generator), images)
    return images + strength.uniform_noise * (2 * draw - 1)


def rescale(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Resize to a random side, place at random on a larger grey canvas, and shrink the canvas to the old size.

    The published transform takes 32 pixels to sides of 24 to 39 on a canvas of 40, which then goes to the models as it
    is. Here the canvas is shrunk, as not all networks take another size than their own.
    """
    size = images.shape[2]
    smallest = max(1, round(strength.smallest * size))
    canvas = max(smallest + 1, round(strength.canvas * size))  # of few pixels a little more is none
    side = int(torch.randint(smallest, canvas, (), generator=generator))
    down, right = torch.randint(canvas - side + 1, (2,), generator=generator).tolist()
    resized = functional.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)
    margins = (right, canvas - side - right, down, canvas - side - down)
    laid = functional.pad(resized, margins, value=0.5)
    return functional.interpolate(laid, size=(size, size), mode="bilinear", align_corners=False)


def resize(images: Tensor, generator: torch.Generator, strength: Strength) -> Tensor:
    """Enlarge by a random factor and filter, as a suspect of another size does, and shrink by area to the old size.

    Networks of the training pool see the old size; what is left of the enlarging is how it smoothes.
    """
    size = images.shape[2]
    largest = max(size + 1, round(strength.enlarged * size))
    side = int(torch.randint(size + 1, largest + 1, (), generator=generator))
    mode = ("bilinear", "bicubic", "nearest-exact")[int(torch.randint(3, (), generator=generator))]
    corners = None if mode == "nearest-exact" else False
    enlarged = functional.interpolate(images, size=(side, side), mode=mode, align_corners=corners)
    return functional.interpolate(enlarged, size=(size, size), mode="area")


TRANSFORMS: dict[str, Transform] = {
    "identity": identity,
    "flip": flip,
    "noise": noise,
    "translate": translate,
    "shear": shear,
    "gaussian_blur": gaussian_blur,
    "average_blur": average_blur,
    "median_blur": median_blur,
    "uniform_noise": uniform_noise,
    "rescale": rescale,
    "resize": resize,
}
DETERMINISTIC = frozenset({"identity", "flip", "average_blur", "median_blur"})


def check_transforms(names: Sequence[str]) -> None:
    """Check that ``names`` are transforms.

    Raises:
        ValueError: ``names`` is empty or has a name twice.
        UnknownNameError: one is not a key of ``TRANSFORMS``.
    """
    if not names:
        raise ValueError(f"transforms: expected at least one of {', '.join(TRANSFORMS)}, got none")
    for name in names:
        if name not in TRANSFORMS:
            raise UnknownNameError("transform", name, TRANSFORMS)
        if names.count(name) > 1:
            raise ValueError(f"transforms: expected each once, got {name} {names.count(name)} times")


def random_transform(images: Tensor, names: Sequence[str], generator: torch.Generator, strength: Strength) -> Tensor:
    """Apply one transform, drawn uniformly from ``names``, to the whole batch.

    Args:
        images: (N, C, H, W) around [0, 1].
        names: keys of ``TRANSFORMS``.
        generator: source of the draws, on the CPU, so that every device gets the same draws.
        strength: strength of the transforms.

    Returns:
        (N, C, H, W), differentiable in ``images``; noise may leave [0, 1] by a little.
    """
    choice = int(torch.randint(len(names), (), generator=generator))
    return TRANSFORMS[names[choice]](images, generator, strength)
