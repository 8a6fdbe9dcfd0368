"""Images as PNG files: each by itself, or all on a contact sheet with a caption under each."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from nf.core.files import atomic_path, sha256_bytes

_PADDING = 4
_LINE_HEIGHT = 13


def save_sheet(
    path: Path,
    images: NDArray[np.uint8],
    captions: Sequence[str] = (),
    *,
    columns: int = 10,
    tile: int = 64,
) -> None:
    """Draw images as a grid and write it as a PNG.

    Args:
        path: PNG file to write.
        images: (N, C, H, W) uint8 in [0, 255], C = 1 or 3.
        captions: text under each image, or none at all; a newline starts a second line.
        columns: number of images in a row.
        tile: side of each drawn image in pixels.

    Raises:
        ArtifactError: the file cannot be written.
    """
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    width = tile + _PADDING
    height = tile + _PADDING + lines * _LINE_HEIGHT
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * width + _PADDING, rows * height + _PADDING), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for index, image in enumerate(images):
        x, y = _PADDING + index % columns * width, _PADDING + index // columns * height
        tile_image = picture(image).convert("RGB")
        sheet.paste(tile_image.resize((tile, tile), Image.Resampling.NEAREST), (x, y))
        if captions:
            draw.multiline_text((x, y + tile), captions[index], fill="black", font=font, spacing=1)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")


def image_name(index: int, image: NDArray[np.uint8]) -> str:
    """File name of the ``image`` (C, H, W) at ``index`` of a query set, which no other image of the set has."""
    return f"{index:03d}-{image_hash(image)}.png"


def image_hash(image: NDArray[np.uint8]) -> str:
    """The part of ``image_name`` that says which image it is, wherever it stands."""
    return sha256_bytes(image.tobytes())[:8]


def save_images(folder: Path, images: NDArray[np.uint8]) -> None:
    """Write each of ``images`` (N, C, H, W; C = 1 or 3) into ``folder`` as a PNG, named by ``image_name``.

    Raises:
        ArtifactError: a file cannot be written.
    """
    for index, image in enumerate(images):
        with atomic_path(folder / image_name(index, image)) as temporary:
            picture(image).save(temporary, format="PNG")


def picture(image: NDArray[np.uint8]) -> Image.Image:
    """``image`` (C, H, W) uint8 in [0, 255] as a grey (C = 1) or coloured (C = 3) picture."""
    pixels = np.moveaxis(image, 0, -1)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
