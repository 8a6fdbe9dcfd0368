"""Images on their way into a suspect: size, channels, scale, type and layout, or the file of a picture."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nf.core.errors import SuspectError
from nf.core.interface import Channels, Interface, Layout
from nf.core.sheets import picture
from nf.suspects.scope import PICTURE

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R 601, which Pillow's and OpenCV's grey is

_JPEG_QUALITY = 95


def picture_file(image: NDArray[np.uint8], how: Interface, kind: str = "png") -> bytes:
    """The file of ``image`` (C, H, W), of the size and channels that ``how`` states.

    Args:
        image: grey or RGB.
        how: fields other than those in ``PICTURE`` are left aside.
        kind: ``png``, which holds each pixel as it is, or ``jpeg``.
    """
    stated = {name: value for name, value in how.stated().items() if name in PICTURE}
    pixels = prepare(image[None], Interface.of(dtype="uint8", **stated))[0]
    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": _JPEG_QUALITY} if kind == "jpeg" else {}
    picture(pixels).save(buffer, format=kind.upper(), **options)
    return buffer.getvalue()


def prepare(images: NDArray[np.uint8], how: Interface) -> NDArray[Any]:
    """``images`` (N, C, H, W), C = 1 or 3 (grey or RGB), as the suspect takes them.

    Returns:
        (N, ...) of ``how.dtype`` in ``how.layout``; the first dimension is there whatever ``how.batch`` says.

    Raises:
        SuspectError: means or deviations are for another number of channels.
    """
    pixels = _channels(_resized(images, how), how.channels).astype(np.float64)
    low, high = how.range or _native_range(how.dtype)
    scaled = pixels / 255 * (high - low) + low
    channels = scaled.shape[1]
    for name, values in (("mean", how.mean), ("std", how.std)):
        if values is not None and len(values) not in (1, channels):
            raise SuspectError(f"{name}: expected {channels} numbers, one for each channel, got {len(values)}")
    if how.mean is not None:
        scaled -= np.reshape(how.mean, (1, -1, 1, 1))
    if how.std is not None:
        scaled /= np.reshape(how.std, (1, -1, 1, 1))
    dtype = np.dtype(how.dtype or "float32")
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        scaled = np.clip(np.rint(scaled), limits.min, limits.max)
    return _arranged(scaled.astype(dtype), how.layout or "nchw")


def _native_range(dtype: str | None) -> tuple[float, float]:
    """What black and white are in images of a type where nobody says otherwise."""
    if dtype == "int8":
        return -128.0, 127.0
    return (0.0, 255.0) if np.dtype(dtype or "float32").kind in "iu" else (0.0, 1.0)


def _resized(images: NDArray[np.uint8], how: Interface) -> NDArray[np.uint8]:
    size = how.size or images.shape[2:]
    crop = how.crop or 1.0
    if size == images.shape[2:] and crop == 1.0:
        return images
    height, width = size
    tall, wide = round(height / crop), round(width / crop)
    top, left = (tall - height) // 2, (wide - width) // 2
    resample = Image.Resampling[(how.resize or "bilinear").upper()]
    resized = np.empty((*images.shape[:2], height, width), np.uint8)
    for index, image in enumerate(images):
        for channel, plane in enumerate(image):
            scaled = np.asarray(Image.fromarray(plane).resize((wide, tall), resample))
            resized[index, channel] = scaled[top : top + height, left : left + width]
    return resized


def _channels(images: NDArray[np.uint8], wanted: Channels | None) -> NDArray[np.uint8]:
    given = "grey" if images.shape[1] == 1 else "rgb"
    if wanted is None or wanted == given:
        return images
    if wanted == "grey":
        return np.rint(np.tensordot(_LUMA, images, (0, 1)))[:, None].astype(np.uint8)
    return np.repeat(images, 3, axis=1) if given == "grey" else images[:, ::-1]


def _arranged(images: NDArray[Any], layout: Layout) -> NDArray[Any]:
    if layout in ("nhwc", "flat-hwc"):
        images = np.moveaxis(images, 1, -1)
    if layout in ("flat", "flat-hwc"):
        images = images.reshape(len(images), -1)
    if layout == "nhw":
        if images.shape[1] != 1:
            raise SuspectError(f"layout: expected one channel for nhw, got {images.shape[1]}; say grey")
        images = images[:, 0]
    return np.ascontiguousarray(images)
