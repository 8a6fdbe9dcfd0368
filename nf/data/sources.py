"""Sources: embedded sets, torchvision's CIFAR, image Parquet in the Hugging Face layout, a folder per class."""

import io
import json
import os
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from nf.core.config import SourceConfig
from nf.core.errors import DataError, UnknownNameError
from nf.core.files import sha256_file, sha256_json
from nf.core.printing import printable
from nf.data.scribbles import draw_scribble

# What Pillow raises for files that are no images, or damaged, or far too large.
_UNREADABLE = (
    ValueError,
    OSError,
    SyntaxError,
    OverflowError,
    struct.error,
    UnidentifiedImageError,
    Image.DecompressionBombError,
)
# What turns an image upright, by its orientation in EXIF.
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "target")
_STRAYS = ("__macosx", "@eadir", "thumbs.db", "desktop.ini")


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
    try:
        return _READERS[config.kind](config, _Wanted(image_size, channels, seed, key, labelled))
    except DataError as error:  # names of classes, columns and files are other people's, and messages are one line
        raise DataError(printable(str(error))) from error


def source_digests(config: SourceConfig) -> dict[str, str]:
    """What tells the files of a source from others at the same paths; empty where it is embedded or downloaded.

    Returns:
        By file the SHA-256 of its bytes, by folder that of the names, sizes and times of the files in it. What cannot
        be read is left out: ``read_source`` says so.
    """
    named = config.name if config.kind == "hugging_face" else None
    found = {}
    for place in filter(None, (config.train, config.test, named)):
        path = Path(place)
        for each in [path] if path.exists() else sorted(path.parent.glob(path.name)):
            with suppress(OSError):
                found[str(each)] = _folder_digest(each) if each.is_dir() else sha256_file(each)
    return found


def _folder_digest(root: Path) -> str:
    files = [(path, path.stat()) for path in image_files(root)]
    return sha256_json([[str(path.relative_to(root)), stat.st_size, stat.st_mtime_ns] for path, stat in files])


@dataclass(frozen=True)
class _Wanted:
    """The arguments of ``read_source``, without ``config``; ``size`` is its ``image_size``."""

    size: int
    channels: int
    seed: int
    key: str
    labelled: bool

    def image(self, picture: Image.Image) -> NDArray[np.uint8]:
        """Convert to (C, H, W) uint8 of the wanted size, upright as EXIF says, bilinear where the size differs.

        Raises:
            ValueError: the pixels are no bytes. Pillow would cut 16-bit ones off at 255, which makes them white.
        """
        if picture.mode.startswith(("I", "F")):
            raise ValueError(f"expected 8 bits a channel, got mode {picture.mode!r}; convert it to 8 bits")
        picture.load()  # of a TIFF, turns it
        # Pillow's own exif_transpose writes the other tags anew, which fails where a camera's are amiss.
        turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation))
        picture = picture if turn is None else picture.transpose(turn)
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


@dataclass(frozen=True)
class _Part:
    """A part as it was read.

    ``names`` are those of its classes, empty where nobody states any; ``textual`` says that its labels were names, not
    numbers. ``place`` and ``column`` are for messages.
    """

    place: Path | str
    column: str
    data: LabelledImages
    names: tuple[str, ...]
    textual: bool = False


def _join(train: _Part, test: _Part | None, wanted: _Wanted) -> RawData:
    """Both parts, with the classes of the training part: what is named is matched by name."""
    if not wanted.labelled:
        return RawData(_mix_classes(train.data), None, train.names)
    # Without names the largest label says how many classes there are, and must be one.
    _check_labels(train, len(train.names) or len(train.data))
    names = train.names or _names_by_number(train)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{train.place}: expected a name for each class, each once, got {twice!r} more than once")
    if test is None:
        return RawData(_mix_classes(train.data), None, names)
    return RawData(_mix_classes(train.data), _mix_classes(_renumber(test, names, textual=train.textual)), names)


def _renumber(test: _Part, names: tuple[str, ...], *, textual: bool) -> LabelledImages:
    """The test images with the numbers that the training part gives their classes."""
    if not test.names:
        if textual:
            raise DataError(
                f"{test.place}: {test.column}: expected names of classes, as the training part has them, got numbers"
            )
        _check_labels(test, len(names))
        return test.data
    strange = [name for name in test.names if name not in names]
    if strange:
        raise DataError(
            f"{test.place}: expected the classes of the training part, {_listed(names)}, got {_listed(strange)}"
        )
    _check_labels(test, len(test.names))
    numbers = np.array([names.index(name) for name in test.names], np.int64)
    return LabelledImages(test.data.images, numbers[test.data.labels])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _label(place: Path | str, column: str, images: NDArray[np.uint8], labels: NDArray[Any], wanted: _Wanted) -> _Part:
    """Images with labels that are numbers of classes, or names, which are numbered in their order."""
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = labels.astype(np.int64)
        broken = np.flatnonzero(whole != labels)
        if len(broken) and wanted.labelled:
            row = broken[0]
            raise DataError(f"{place}: row {row} of {column}: expected a whole number, got {labels[row]}")
        labels = whole
    if labels.dtype.kind in "iub":
        return _Part(place, column, LabelledImages(images, labels.astype(np.int64)), ())
    texts = labels.tolist()
    if not all(isinstance(text, str) for text in texts):
        if wanted.labelled:
            raise DataError(f"{place}: {column}: expected numbers or names of classes, got {texts[0]!r:.60}")
        return _Part(place, column, LabelledImages(images, np.zeros(len(images), np.int64)), ())
    texts = [unicodedata.normalize("NFC", text) for text in texts]  # a Mac writes names of folders in another form
    found = sorted(set(texts))
    names = [found[index] for index in np.argsort(_ranks(found))]
    numbers = {name: number for number, name in enumerate(names)}
    data = LabelledImages(images, np.array([numbers[text] for text in texts], np.int64))
    return _Part(place, column, data, tuple(names), textual=True)


def _read_parquet(config: SourceConfig, wanted: _Wanted) -> RawData:
    train = _read_parquet_file(wanted.path(config.train, "train"), wanted)
    test = _read_parquet_file(wanted.path(config.test, "test"), wanted) if config.test else None
    return _join(train, test, wanted)


def _read_parquet_file(path: Path, wanted: _Wanted) -> _Part:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(sorted(path.parent.glob(path.name)) if "*" in path.name else path)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: expected a Parquet file: {error}") from error

    def open_picture(value: dict[str, Any]) -> Image.Image:
        if value.get("bytes") is None and value.get("path"):
            return Image.open(path.parent / value["path"])
        return Image.open(io.BytesIO(value["bytes"]))

    return _read_table(path, table, _hugging_face_features(table.schema.metadata), open_picture, wanted)


def _read_table(
    place: Path | str,
    table: Any,
    features: dict[str, Any],
    open_picture: Callable[[dict[str, Any]], Image.Image],
    wanted: _Wanted,
) -> _Part:
    """Images and labels of an Arrow table, and the names of the classes where ``features`` declare them."""
    import pyarrow

    image_column = next((name for name in ("img", "image") if name in table.column_names), None)
    if image_column is None:
        raise DataError(f"{place}: expected a column 'img' or 'image', got {', '.join(table.column_names)}")
    label_column = _label_column(table, features)
    if label_column is None:
        raise DataError(f"{place}: expected a column 'label', got {', '.join(table.column_names)}")
    if not len(table):
        raise DataError(f"{place}: expected images, got a table without rows")
    labels, column = table[label_column], f"column {label_column!r}"
    if labels.null_count and wanted.labelled:
        row = labels.is_null().to_pylist().index(True)
        raise DataError(f"{place}: row {row} of {column}: expected a label, got none; leave such rows out")
    images = []
    for row, value in enumerate(table[image_column].to_pylist()):
        try:
            with open_picture({"bytes": value, "path": None} if isinstance(value, bytes) else value) as picture:
                images.append(wanted.image(picture))
        except (AttributeError, TypeError, KeyError, *_UNREADABLE) as error:
            raise DataError(f"{place}: row {row} of column {image_column!r} is no image: {error}") from error
    if pyarrow.types.is_dictionary(labels.type):
        labels = labels.cast(labels.type.value_type)
    if pyarrow.types.is_integer(labels.type):
        labels = labels.fill_null(0)
    part = _label(place, column, np.stack(images), labels.to_numpy(), wanted)
    return part if part.textual else replace(part, names=_class_names(features.get(label_column)) or ())


def _label_column(table: Any, features: dict[str, Any]) -> str | None:
    """The first column with a usual name of labels, else the first declared to hold classes, else of integers."""
    import pyarrow

    declared = [name for name, feature in features.items() if _class_names(feature) is not None]
    integers = [field.name for field in table.schema if pyarrow.types.is_integer(field.type)]
    return next((name for name in (*_LABEL_COLUMNS, *declared, *integers) if name in table.column_names), None)


def _class_names(feature: Any) -> tuple[str, ...] | None:
    """The names that a declared column of classes has; ``None`` of other columns."""
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return None
    return tuple(feature.get("names") or ())


def _names_by_number(part: _Part) -> tuple[str, ...]:
    """Names of classes that have none: their numbers, of which none may be missing."""
    names = tuple(str(number) for number in range(int(part.data.labels.max()) + 1))
    absent = np.setdiff1d(np.arange(len(names)), part.data.labels)
    if len(absent):
        raise DataError(
            f"{part.place}: {part.column}: expected images of every class from 0 on, got none of class {absent[0]}; "
            "number them anew"
        )
    return names


def _check_labels(part: _Part, classes: int) -> None:
    labels = part.data.labels
    strange = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(strange):
        row = strange[0]
        unlabelled = ", which stands for no label; leave such images out" if labels[row] == -1 else ""
        raise DataError(
            f"{part.place}: row {row} of {part.column}: expected labels 0 to {classes - 1}, got "
            f"{labels[row]}{unlabelled}"
        )


def _hugging_face_features(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _read_folder(config: SourceConfig, wanted: _Wanted) -> RawData:
    train = _read_class_folders(wanted.path(config.train, "train"), wanted)
    test = _read_class_folders(wanted.path(config.test, "test"), wanted) if config.test else None
    return _join(train, test, wanted)


def _read_class_folders(root: Path, wanted: _Wanted) -> _Part:
    try:
        folders = sub_folders(root)
    except OSError as error:
        raise DataError(f"{root}: expected one sub-folder of images per class: {error}") from error
    files = {folder.name: image_files(folder) for folder in folders}
    empty = [name for name, paths in files.items() if not paths]
    if empty or not files:
        raise DataError(
            f"{root}: expected one sub-folder of images per class, got "
            f"{'no images in ' + _listed(empty) if empty else 'no sub-folders'}"
        )
    images, texts, failures = [], [], []
    for name, paths in files.items():
        for path in paths:
            try:
                with Image.open(path) as picture:
                    images.append(wanted.image(picture))
            except _UNREADABLE as error:
                failures.append((path, error))
            texts.append(name)
    if failures:
        path, reason = failures[0]
        more = f"; nor are {len(failures) - 1} more of {len(texts)} files" if len(failures) > 1 else ""
        raise DataError(f"{path}: not an image that can be read: {reason}{more}") from reason
    return _label(root, "folders", np.stack(images), np.array(texts, dtype=object), wanted)


def sub_folders(root: Path) -> list[Path]:
    """The folders in ``root`` by name, without hidden ones and those that systems put beside images.

    Raises:
        OSError: ``root`` is no folder that can be read.
    """
    return sorted(each for each in root.iterdir() if each.is_dir() and not _is_stray(each.name))


def image_files(root: Path) -> list[Path]:
    """What is to be an image, at any depth below ``root``: no text, hidden files, and what systems put there."""
    found = []
    for place, folders, files in os.walk(root, followlinks=True):
        real = Path(place).resolve()
        folders[:] = [
            name
            for name in folders
            if not _is_stray(name) and not real.is_relative_to(Path(place, name).resolve())  # a link that leads back up
        ]
        found += [(place, name) for name in files if not _is_stray(name) and not name.lower().endswith(".txt")]
    return [Path(place, name) for place, name in sorted(found)]


def _is_stray(name: str) -> bool:
    return name.startswith(".") or name.lower() in _STRAYS


def _ranks(names: Sequence[str]) -> list[int]:
    """The rank of each name: numbers by their value, so that class 2 is not behind class 100; all else as text."""
    key = int if all(name.isascii() and name.isdigit() for name in names) else str
    ranked = sorted(names, key=key)
    return [ranked.index(name) for name in names]


def _read_arrays(config: SourceConfig, wanted: _Wanted) -> RawData:
    train = _read_npz(wanted.path(config.train, "train"), wanted)
    test = _read_npz(wanted.path(config.test, "test"), wanted) if config.test else None
    return _join(train, test, wanted)


def _read_npz(path: Path, wanted: _Wanted) -> _Part:
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: expected a .npz file, as np.savez writes it, got something else")
    try:
        with np.load(path, allow_pickle=False) as file:
            pixels, labels = file["images"], file["labels"]
            names = tuple(map(str, np.ravel(file["names"]))) if "names" in file else ()
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: expected a .npz file with images and labels: {error}") from error
    if pixels.ndim != 4 or pixels.dtype != np.uint8 or pixels.shape[1] not in (1, 3) or not pixels.size:
        raise DataError(f"{path}: expected uint8 images (N, C, H, W), got {pixels.dtype} {pixels.shape}")
    if labels.shape not in ((len(pixels),), (len(pixels), 1)):
        one_hot = "; one-hot labels become numbers by labels.argmax(1)" if labels.ndim == 2 else ""
        raise DataError(
            f"{path}: expected a number of a class for each of {len(pixels)} images, got labels of shape "
            f"{labels.shape}{one_hot}"
        )
    pictures = (Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)) for image in pixels)
    images = np.stack([wanted.image(picture) for picture in pictures])
    part = _label(path, "labels", images, labels.reshape(-1), wanted)
    return part if part.textual else replace(part, names=names)


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

    def read(name: str) -> _Part:
        table, features = parts[name].with_format("arrow")[:], parts[name].features.to_dict()
        return _read_table(f"{config.name}: part {name!r}", table, features, datasets.Image().decode_example, wanted)

    other = next((name for name in ("test", "validation", "valid") if name in parts), None)
    return _join(read("train"), read(other) if other else None, wanted)


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
