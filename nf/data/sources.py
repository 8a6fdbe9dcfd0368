"""Sources: embedded sets, torchvision's CIFAR, image Parquet in the Hugging Face layout, a folder per class."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nf.core.config import SourceConfig
from nf.core.errors import DataError, UnknownNameError
from nf.data.scribbles import draw_scribble


@dataclass(frozen=True)
class LabelledImages:
    """``images`` (N, C, H, W) uint8 and ``labels`` (N,) int64."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64]) -> "LabelledImages":
        """The images at ``index``."""
        return LabelledImages(self.images[index], self.labels[index])


@dataclass(frozen=True)
class RawData:
    """What a source holds: a training part, a test part if it has one, and the names of its classes."""

    train: LabelledImages
    test: LabelledImages | None
    class_names: tuple[str, ...]


def read_source(config: SourceConfig, *, image_size: int, channels: int, seed: int) -> RawData:
    """Read a source as square ``image_size`` images of ``channels`` channels.

    Args:
        seed: of the strokes; only ``scribbles`` draws.

    Raises:
        DataError: a file is missing, unreadable or not what its kind says.
    """
    return _READERS[config.kind](config, _Resizer(image_size, channels), seed)


@dataclass(frozen=True)
class _Resizer:
    size: int
    channels: int

    def __call__(self, picture: Image.Image) -> NDArray[np.uint8]:
        """Convert to (C, H, W) uint8 of the wanted size, bilinear where the size differs."""
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if picture.size != (self.size, self.size):
            picture = picture.resize((self.size, self.size), Image.Resampling.BILINEAR)
        pixels = np.asarray(picture, dtype=np.uint8).reshape(self.size, self.size, self.channels)
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _read_digits(_: SourceConfig, resize: _Resizer, __: int) -> RawData:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pictures = (Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8)) for image in bunch.images)
    images = np.stack([resize(picture) for picture in pictures])
    return RawData(LabelledImages(images, bunch.target.astype(np.int64)), None, tuple(map(str, bunch.target_names)))


def _read_scribbles(config: SourceConfig, resize: _Resizer, seed: int) -> RawData:
    random = np.random.default_rng(seed)
    images = np.stack([resize(draw_scribble(random)) for _ in range(config.images or 2000)])
    return RawData(LabelledImages(images, np.zeros(len(images), dtype=np.int64)), None, ("scribble",))


def _read_torchvision(config: SourceConfig, resize: _Resizer, _: int) -> RawData:
    from torchvision import datasets

    known = {"CIFAR10": datasets.CIFAR10, "CIFAR100": datasets.CIFAR100}
    if config.name not in known:
        raise UnknownNameError("torchvision data set", config.name, known)
    parts = []
    for train in (True, False):
        try:
            part = known[config.name](config.root, train=train, download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"cannot load {config.name} into {config.root}: {error}; put the files there by hand, or set the "
                f"profile's data.source to {{kind: parquet, train: FILE, test: FILE}}"
            ) from error
        images = np.stack([resize(Image.fromarray(image)) for image in part.data])
        parts.append(LabelledImages(images, np.asarray(part.targets, dtype=np.int64)))
    return RawData(parts[0], parts[1], tuple(part.classes))


def _read_parquet(config: SourceConfig, resize: _Resizer, _: int) -> RawData:
    train, names = _read_parquet_file(_path(config.train, "train"), resize)
    test = _read_parquet_file(_path(config.test, "test"), resize)[0] if config.test else None
    return RawData(train, test, names)


def _read_parquet_file(path: Path, resize: _Resizer) -> tuple[LabelledImages, tuple[str, ...]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: expected a Parquet file: {error}") from error
    features = _hugging_face_features(table.schema.metadata)
    image_column = next((name for name in ("img", "image") if name in table.column_names), None)
    if image_column is None:
        raise DataError(f"{path}: expected a column 'img' or 'image', got {', '.join(table.column_names)}")
    label_column = _label_column(table, features)
    if label_column is None:
        raise DataError(f"{path}: expected a column of integer labels, got {', '.join(table.column_names)}")
    images = []
    for row, value in enumerate(table[image_column].to_pylist()):
        try:
            images.append(resize(Image.open(io.BytesIO(value["bytes"]))))
        except (TypeError, KeyError, OSError, UnidentifiedImageError) as error:
            raise DataError(f"{path}: row {row} of column {image_column!r} is no image: {error}") from error
    labels = table[label_column].to_numpy().astype(np.int64)
    names = features.get(label_column, {}).get("names") or [str(i) for i in range(int(labels.max(initial=0)) + 1)]
    return LabelledImages(np.stack(images), labels), tuple(names)


def _label_column(table: Any, features: dict[str, Any]) -> str | None:
    import pyarrow

    declared = [name for name, feature in features.items() if feature.get("_type") == "ClassLabel"]
    integers = [field.name for field in table.schema if pyarrow.types.is_integer(field.type)]
    return next((name for name in (*declared, *integers) if name in table.column_names), None)


def _hugging_face_features(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _read_folder(config: SourceConfig, resize: _Resizer, _: int) -> RawData:
    train, names = _read_class_folders(_path(config.train, "train"), resize)
    test = None
    if config.test:
        test, test_names = _read_class_folders(_path(config.test, "test"), resize)
        if test_names != names:
            raise DataError(f"{config.test}: expected the classes {', '.join(names)}, got {', '.join(test_names)}")
    return RawData(train, test, names)


def _read_class_folders(root: Path, resize: _Resizer) -> tuple[LabelledImages, tuple[str, ...]]:
    from torchvision.datasets import ImageFolder

    try:
        folder = ImageFolder(str(root))
    except OSError as error:
        raise DataError(f"{root}: expected one sub-folder of images per class: {error}") from error
    images = []
    for path, _ in folder.samples:
        try:
            images.append(resize(Image.open(path)))
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"{path}: not an image that can be read: {error}") from error
    return LabelledImages(np.stack(images), np.asarray(folder.targets, dtype=np.int64)), tuple(folder.classes)


def _path(value: str | None, key: str) -> Path:
    if value is None:
        raise DataError(f"data.source.{key}: expected a path, got nothing")
    path = Path(value)
    if not path.exists():
        raise DataError(f"data.source.{key}: expected data at {path}, found nothing")
    return path


_READERS: dict[str, Callable[[SourceConfig, _Resizer, int], RawData]] = {
    "digits": _read_digits,
    "scribbles": _read_scribbles,
    "torchvision": _read_torchvision,
    "parquet": _read_parquet,
    "folder": _read_folder,
}
