"""Input defences: what a thief puts before a stolen model so that odd queries lose what makes them odd."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from nf.core.errors import UnknownNameError
from nf.core.predictor import OutputKind, Predictor
from nf.core.sheets import picture

# Strengths at which the accuracy on normal images stays: a defence that costs more would not be used.
JPEG_QUALITY = 75
BLUR_RADIUS = 0.5
BITS = 4
RESIZE_SHARE = 0.75


def _jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return Image.open(buffer)


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(BLUR_RADIUS))


def _depth(image: Image.Image) -> Image.Image:
    """Round each channel to ``BITS`` bits; black and white stay what they are."""
    levels = 2**BITS - 1
    return image.point(
        [round(round(value * levels / 255) * 255 / levels) for value in range(256)] * len(image.getbands())
    )


def _resize(image: Image.Image) -> Image.Image:
    """Down and up again."""
    small = (max(1, round(image.width * RESIZE_SHARE)), max(1, round(image.height * RESIZE_SHARE)))
    return image.resize(small, Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)


DEFENCES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "jpeg": _jpeg,
    "blur": _blur,
    "depth": _depth,
    "resize": _resize,
}


def defend(images: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """What a model behind the defence ``name`` sees of ``images``: (N, C, H, W) uint8, C = 1 or 3, both ways.

    Raises:
        UnknownNameError: there is no such defence.
    """
    if name not in DEFENCES:
        raise UnknownNameError("defence", name, DEFENCES)
    transformed = np.empty_like(images)
    channels, height, width = images.shape[1:]
    for index, image in enumerate(images):
        pixels = np.asarray(DEFENCES[name](picture(image))).reshape(height, width, channels)
        transformed[index] = np.moveaxis(pixels, -1, 0)
    return transformed


class DefendedSuspect:
    """A suspect behind an input defence; see ``nf.core.predictor.Predictor``.

    Args:
        suspect: what answers.
        defence: key of ``DEFENCES``.
    """

    def __init__(self, suspect: Predictor, defence: str) -> None:
        self._suspect = suspect
        self._defence = defence

    @property
    def output(self) -> OutputKind:
        """What an answer means."""
        return self._suspect.output

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Answer ``images`` (N, C, H, W) as the suspect answers what is left of them.

        Raises:
            UnknownNameError: there is no such defence.
            SuspectError: the suspect cannot answer.
        """
        return self._suspect(defend(images, self._defence))
