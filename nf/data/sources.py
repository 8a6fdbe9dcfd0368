"""Sources: embedded sets, torchvision's CIFAR, image Parquet in the Hugging Face layout, a folder per class."""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nf.core.config import SourceConfig
from nf.core.errors import DataError, UnknownNameError
from nf.data.scribbles import draw_scribble

# What Pillow raises for files that are no images, or damaged, or far too large.
_UNREADABLE = (ValueError, OSError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError)
_LABEL_COLUMNS = ("label", "labels", "fine_label", "class")


@dataclass(frozen=True)
class LabelledImages:
    """Images with their labels.

    Attributes:
        images: (N, C, H, W) uint8 in [0, 255].
        labels: (N,) int64 class index of each image.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64]) -> "LabelledImages":
        """The images and labels at ``index`` (M,)."""
        return LabelledImages(self.images[index], self.labels[index])


@dataclass(frozen=True)
class RawData:
    """What a source holds.

    Attributes:
        train: training images.
        test: test images, or ``None`` from a source without a test part.
        class_names: name of each class, in the order of the labels.
    """

    train: LabelledImages
    test: LabelledImages | None
    class_names: tuple[str, ...]


def read_source(
    config: SourceConfig,
    *,
    image_size: int,
    channels: int,
    seed: int,
    key: str = "data.source",
    labelled: bool = True,
) -> RawData:
    """Read a source as square ``image_size`` images of ``channels`` channels.

    Args:
        config: kind and place of the source.
        image_size: height and width of the returned images in pixels.
        channels: number of channels of the returned images: 1 (grey) or 3 (RGB).
        seed: seed of the strokes of ``scribbles``; other kinds draw nothing.
        key: dotted path of ``config`` in the profile, for messages.
        labelled: whether the labels mean anything; labels that do are checked.

    Raises:
        DataError: a file is missing, unreadable or not of the stated kind.
        UnknownNameError: torchvision has no data set of that name here.
    """
    return _READERS[config.kind](config, _Wanted(image_size, channels, seed, key, labelled))


@dataclass(frozen=True)
class _Wanted:
    """The arguments of ``read_source``, without ``config``; ``size`` is its ``image_size``."""

    size: int
    channels: int
    seed: int
    key: str
    labelled: bool

    def image(self, picture: Image.Image) -> NDArray[np.uint8]:
        """Convert to (C, H, W) uint8 of the wanted size, bilinear where the size differs.

        Raises:
            ValueError: the pixels are no bytes. Pillow would cut 16-bit ones off at 255, which makes them white.
        """
        if picture.mode.startswith(("I", "F")):
            raise ValueError(f"expected 8 bits a channel, got mode {picture.mode!r}; convert it to 8 bits")
        if picture.has_transparency_data:  # what is seen through it is white, as on a page
            opaque = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque)
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if picture.size != (self.size, self.size):
            picture = picture.resize((self.size, self.size), Image.Resampling.BILINEAR)
        pixels = np.asarray(picture, dtype=np.uint8).reshape(self.size, self.size, self.channels)
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))

    def path(self, value: str | None, part: str) -> Path:
        """The path ``value`` of the ``part`` ``train`` or ``test``.

        Raises:
            DataError: there is no path, or nothing lies at it.
        """
        if value is None:
            raise DataError(f"{self.key}.{part}: expected a path, got nothing")
        path = Path(value)
        if not path.exists() and not any(path.parent.glob(path.name)):
            raise DataError(f"{self.key}.{part}: expected data at {path}, found nothing")
        return path


def _read_digits(_: SourceConfig, wanted: _Wanted) -> RawData:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pictures = (Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8)) for image in bunch.images)
    images = np.stack([wanted.image(picture) for picture in pictures])
    return RawData(LabelledImages(images, bunch.target.astype(np.int64)), None, tuple(map(str, bunch.target_names)))


def _read_scribbles(config: SourceConfig, wanted: _Wanted) -> RawData:
    random = np.random.default_rng(wanted.seed)
    images = np.stack([wanted.image(draw_scribble(random)) for _ in range(config.images or 2000)])
    return RawData(LabelledImages(images, np.zeros(len(images), dtype=np.int64)), None, ("scribble",))


def _read_torchvision(config: SourceConfig, wanted: _Wanted) -> RawData:
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
                f"profile's {wanted.key} to {{kind: parquet, train: FILE, test: FILE}}"
            ) from error
        images = np.stack([wanted.image(Image.fromarray(image)) for image in part.data])
        parts.append(LabelledImages(images, np.asarray(part.targets, dtype=np.int64)))
    return RawData(parts[0], parts[1], tuple(part.classes))


def _read_parquet(config: SourceConfig, wanted: _Wanted) -> RawData:
    path = wanted.path(config.train, "train")
    train, names = _read_parquet_file(path, wanted)
    declared = bool(names)
    if wanted.labelled:
        # Without names the largest label says how many classes there are, and must be one.
        _check_labels(path, train.labels, len(names) or len(train))
        names = names or _names_by_number(path, train.labels)
    if not config.test:
        return RawData(_mix_classes(train), None, names)
    path = wanted.path(config.test, "test")
    test, test_names = _read_parquet_file(path, wanted)
    if wanted.labelled:
        if declared and test_names and test_names != names:
            raise DataError(f"{path}: expected the classes {', '.join(names)}, got {', '.join(test_names)}")
        _check_labels(path, test.labels, len(names))
    return RawData(_mix_classes(train), _mix_classes(test), names)


def _read_parquet_file(path: Path, wanted: _Wanted) -> tuple[LabelledImages, tuple[str, ...]]:
    """Images and labels, and the names of the classes where the file declares them."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(sorted(path.parent.glob(path.name)) if "*" in path.name else path)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: expected a Parquet file: {error}") from error
    features = _hugging_face_features(table.schema.metadata)
    image_column = next((name for name in ("img", "image") if name in table.column_names), None)
    if image_column is None:
        raise DataError(f"{path}: expected a column 'img' or 'image', got {', '.join(table.column_names)}")
    label_column = _label_column(table, features)
    if label_column is None:
        raise DataError(f"{path}: expected a column of labels, got {', '.join(table.column_names)}")
    if not len(table):
        raise DataError(f"{path}: expected images, got a table without rows")
    labels = table[label_column]
    if labels.null_count and wanted.labelled:
        row = labels.is_null().to_pylist().index(True)
        raise DataError(
            f"{path}: row {row} of column {label_column!r}: expected a label, got none; leave such rows out"
        )
    images = []
    for row, value in enumerate(table[image_column].to_pylist()):
        try:
            images.append(wanted.image(Image.open(io.BytesIO(value["bytes"]))))
        except (TypeError, KeyError, *_UNREADABLE) as error:
            raise DataError(f"{path}: row {row} of column {image_column!r} is no image: {error}") from error
    if not pyarrow.types.is_integer(labels.type):
        return _named(np.stack(images), [str(label) for label in labels.to_pylist()])
    names = features.get(label_column, {}).get("names") or ()
    return LabelledImages(np.stack(images), labels.fill_null(0).to_numpy().astype(np.int64)), tuple(names)


def _named(images: NDArray[np.uint8], labels: list[str]) -> tuple[LabelledImages, tuple[str, ...]]:
    """Images whose labels are names, which are numbered in their order."""
    found = sorted(set(labels))
    names = [found[place] for place in np.argsort(_ranks(found))]
    numbers = {name: number for number, name in enumerate(names)}
    return LabelledImages(images, np.array([numbers[label] for label in labels], np.int64)), tuple(names)


def _label_column(table: Any, features: dict[str, Any]) -> str | None:
    """The first column declared to hold classes, else one with a usual name of labels, else the first of integers."""
    import pyarrow

    declared = [name for name, feature in features.items() if feature.get("_type") == "ClassLabel"]
    integers = [field.name for field in table.schema if pyarrow.types.is_integer(field.type)]
    texts = [field.name for field in table.schema if pyarrow.types.is_string(field.type)]
    usable = [*integers, *(name for name in _LABEL_COLUMNS if name in texts)]
    return next((name for name in (*declared, *_LABEL_COLUMNS, *integers) if name in usable), None)


def _names_by_number(path: Path, labels: NDArray[np.int64]) -> tuple[str, ...]:
    """Names of classes that have none: their numbers, of which none may be missing."""
    names = tuple(str(number) for number in range(int(labels.max()) + 1))
    absent = np.setdiff1d(np.arange(len(names)), labels)
    if len(absent):
        raise DataError(
            f"{path}: expected images of every class from 0 on, got none of class {absent[0]}; number them anew"
        )
    return names


def _check_labels(path: Path, labels: NDArray[np.int64], classes: int) -> None:
    strange = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(strange):
        raise DataError(f"{path}: row {strange[0]}: expected labels 0 to {classes - 1}, got {labels[strange[0]]}")


def _hugging_face_features(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _read_folder(config: SourceConfig, wanted: _Wanted) -> RawData:
    train, names = _read_class_folders(wanted.path(config.train, "train"), wanted)
    test = None
    if config.test:
        test, test_names = _read_class_folders(wanted.path(config.test, "test"), wanted)
        if test_names != names:
            raise DataError(f"{config.test}: expected the classes {', '.join(names)}, got {', '.join(test_names)}")
    return RawData(train, test, names)


def _read_class_folders(root: Path, wanted: _Wanted) -> tuple[LabelledImages, tuple[str, ...]]:
    from torchvision.datasets import ImageFolder

    try:
        # Whatever is not hidden is to be an image: torchvision would leave out those of other endings than it knows.
        folder = ImageFolder(str(root), is_valid_file=lambda path: not Path(path).name.startswith("."))
    except OSError as error:
        raise DataError(f"{root}: expected one sub-folder of images per class: {error}") from error
    images = []
    for path, _ in folder.samples:
        try:
            with Image.open(path) as picture:
                images.append(wanted.image(picture))
        except _UNREADABLE as error:
            raise DataError(f"{path}: not an image that can be read: {error}") from error
    ranks = np.array(_ranks(folder.classes), dtype=np.int64)  # torchvision sorts numbers as text
    data = LabelledImages(np.stack(images), ranks[np.asarray(folder.targets, dtype=np.int64)])
    return _mix_classes(data), tuple(folder.classes[place] for place in ranks.argsort())


def _ranks(names: Sequence[str]) -> list[int]:
    """The rank of each name: numbers by their value, so that class 2 is not behind class 100; all else as text."""
    key = int if all(name.isascii() and name.isdigit() for name in names) else str
    ranked = sorted(names, key=key)
    return [ranked.index(name) for name in names]


def _read_arrays(config: SourceConfig, wanted: _Wanted) -> RawData:
    train, names = _read_npz(wanted.path(config.train, "train"), wanted)
    test = _read_npz(wanted.path(config.test, "test"), wanted)[0] if config.test else None
    return RawData(_mix_classes(train), None if test is None else _mix_classes(test), names)


def _read_npz(path: Path, wanted: _Wanted) -> tuple[LabelledImages, tuple[str, ...]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            pixels, labels = file["images"], file["labels"].astype(np.int64)
            names = tuple(map(str, file["names"])) if "names" in file else ()
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected a .npz file with images and labels: {error}") from error
    if pixels.ndim != 4 or pixels.dtype != np.uint8 or pixels.shape[1] not in (1, 3) or len(pixels) != len(labels):
        raise DataError(
            f"{path}: expected uint8 images (N, C, H, W) and as many labels, got {pixels.dtype} {pixels.shape}"
        )
    pictures = (Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)) for image in pixels)
    images = np.stack([wanted.image(picture) for picture in pictures])
    _check_labels(path, labels, len(names) or len(labels))
    return LabelledImages(images, labels), names or _names_by_number(path, labels)


def _read_hugging_face(config: SourceConfig, wanted: _Wanted) -> RawData:
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            f"{wanted.key}: expected the package datasets for {config.name}: `pip install 'naturalfinger[own]'`"
        ) from error
    folder = Path(config.name)
    try:
        found = datasets.load_from_disk(str(folder)) if folder.is_dir() else datasets.load_dataset(config.name)
    except Exception as error:  # of many packages below
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{wanted.key}: expected a data set of Hugging Face at {config.name}: {reason}") from error
    parts = dict(found) if isinstance(found, dict) else {"train": found}
    if "train" not in parts:
        raise DataError(f"{config.name}: expected a part 'train', got {', '.join(parts)}")
    other = next((name for name in ("test", "validation", "valid") if name in parts), None)
    train, names = _read_hugging_face_part(config.name, parts["train"], wanted)
    if other is None:
        return RawData(_mix_classes(train), None, names)
    test, test_names = _read_hugging_face_part(config.name, parts[other], wanted)
    if wanted.labelled and test_names != names:
        raise DataError(f"{config.name}: expected the classes {', '.join(names)}, got {', '.join(test_names)}")
    return RawData(_mix_classes(train), _mix_classes(test), names)


def _read_hugging_face_part(name: str, part: Any, wanted: _Wanted) -> tuple[LabelledImages, tuple[str, ...]]:
    image = next((key for key in ("img", "image") if key in part.column_names), None)
    label = next((key for key in _LABEL_COLUMNS if key in part.column_names), None)
    if image is None or label is None:
        raise DataError(f"{name}: expected columns of images and labels, got {', '.join(part.column_names)}")
    images = np.stack([wanted.image(picture) for picture in part[image]])
    names = tuple(getattr(part.features[label], "names", None) or ())
    labels = list(part[label])
    if not names and labels and isinstance(labels[0], str):
        return _named(images, labels)
    found = LabelledImages(images, np.asarray(labels, np.int64))
    return found, names or _names_by_number(Path(name), found.labels)


def _mix_classes(data: LabelledImages) -> LabelledImages:
    """Shuffle images that are sorted by class; leave images in another order as they are.

    Splits keep the order of their source, and the first images of one stand for all of it in more than one place.
    """
    changes, classes = np.count_nonzero(np.diff(data.labels)), len(np.unique(data.labels))
    if classes == 1 or changes >= classes:
        return data
    return data.take(np.random.default_rng(0).permutation(len(data)))


_READERS: dict[str, Callable[[SourceConfig, _Wanted], RawData]] = {
    "digits": _read_digits,
    "scribbles": _read_scribbles,
    "torchvision": _read_torchvision,
    "parquet": _read_parquet,
    "folder": _read_folder,
    "arrays": _read_arrays,
    "hugging_face": _read_hugging_face,
}
