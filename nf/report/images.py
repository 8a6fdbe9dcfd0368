"""Pictures inside the page, as data URIs."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import ArtifactError
from nf.core.queries import QuerySet
from nf.core.sheets import picture
from nf.report.names import label_name


@dataclass(frozen=True)
class QueryTile:
    """A query as the page shows it.

    Attributes:
        uri: PNG of the image as a data URI.
        label: name of the label that the source and its thieves give.
        negative_label: name of the label that independent models give; ``None`` if the scheme does not say.
    """

    uri: str
    label: str
    negative_label: str | None


def png_uri(path: Path) -> str:
    """The PNG at ``path`` as a data URI.

    Raises:
        ArtifactError: it cannot be read.
    """
    try:
        return _uri(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"expected a picture at {path}: {error.strerror}") from error


def query_tiles(queries: QuerySet, class_names: tuple[str, ...]) -> list[QueryTile]:
    """Every query, pixel for pixel, with the names of its labels; numbers where ``class_names`` has none."""
    tiles = []
    for image, label, negative in zip(queries.images, queries.labels, queries.negative_labels, strict=True):
        honest = label_name(class_names, int(negative)) if negative >= 0 else None
        tiles.append(QueryTile(image_uri(image), label_name(class_names, int(label)), honest))
    return tiles


def image_uri(image: NDArray[np.uint8], largest: int | None = None) -> str:
    """``image`` (C, H, W) uint8 as a PNG in a data URI.

    Args:
        image: the image, with one channel or three.
        largest: length in pixels that its sides are reduced to where they are longer; ``None`` leaves it as it is.
    """
    drawn = picture(image)
    if largest is not None and max(drawn.size) > largest:
        drawn.thumbnail((largest, largest))
    buffer = io.BytesIO()
    drawn.save(buffer, format="PNG")
    return _uri(buffer.getvalue())


def _uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
