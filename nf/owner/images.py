"""Where an owner's images are, and what they are like."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from nf.core.config import SourceConfig
from nf.core.errors import DataError
from nf.core.printing import printable
from nf.data import RawData, hold_back, image_files, read_source, sub_folders

_PARTS = ("train", "training")
_TEST_PARTS = ("test", "testing", "val", "valid", "validation")
_HUGGING_FACE = ("dataset_info.json", "dataset_dict.json")
_FEWEST = 20


def find_images(place: str, test: str | None = None) -> SourceConfig:
    """The source at ``place``: a folder with one sub-folder a class, Parquet, ``.npz``, or a data set of Hugging Face.

    A folder with ``train`` and ``test`` (or ``val``) in it has both parts; so has one with Parquet files, or folders
    of them, of such names.

    Args:
        place: path, or name of a data set on Hugging Face's hub.
        test: path of the test part, in the same form; by default what lies beside the training part.

    Raises:
        DataError: there is nothing of these kinds, or no telling the test part from the rest.
    """
    path = Path(place)
    named = place.count("/") == 1 and not place.startswith((".", "/")) and not path.parent.is_dir()
    if (named and not path.exists()) or any((path / name).exists() for name in _HUGGING_FACE):
        if test is not None:
            raise DataError(
                f"test: expected nothing beside {place}, got {test}; of a data set of Hugging Face its own part 'test' "
                "or 'validation' is taken, so save the images as that"
            )
        return SourceConfig("hugging_face", name=place)
    if not path.exists():
        raise DataError(f"data: expected images at {place}, found nothing")
    if path.is_file():
        kinds = {".parquet": "parquet", ".npz": "arrays"}
        if path.suffix not in kinds:
            raise DataError(f"data: expected a folder, a .parquet or a .npz file, got {place}")
        return SourceConfig(kinds[path.suffix], train=place, test=test)  # type: ignore[arg-type]
    files = sorted(path.glob("*.parquet")) or sorted((path / "data").glob("*.parquet"))
    if files:
        return _parquet(files, test)
    nested = {each.parent for up in ("", "*/") for name in _PARTS for each in path.glob(f"{up}{name}/*.parquet")}
    if len(nested) > 1:
        raise DataError(f"data: expected one training part, got {', '.join(map(str, sorted(nested)))}; name a folder")
    for folder in nested:
        parts = {
            each.name.lower(): each / "*.parquet" for each in sub_folders(folder.parent) if any(each.glob("*.parquet"))
        }
        return SourceConfig("parquet", train=str(folder / "*.parquet"), test=test or _beside(parts))
    folders = {each.name.lower(): each for each in sub_folders(path)}
    train = next((folders[name] for name in _PARTS if name in folders), None)
    others = [each for name, each in folders.items() if name not in (*_PARTS, *_TEST_PARTS)]
    # A class may be called so: then it is one among others that are folders like it.
    if train is not None and max(map(_depth, others), default=-1) < _depth(train):
        return SourceConfig("folder", train=str(train), test=test or _beside(folders))
    return SourceConfig("folder", train=place, test=test)


def _depth(folder: Path) -> int:
    """0 without images, 1 with images, 2 with images in folders."""
    return 2 if any(map(image_files, sub_folders(folder))) else int(bool(image_files(folder)))


def _beside(parts: Mapping[str, Path]) -> str | None:
    """The test part among ``parts`` by name."""
    return next((str(parts[name]) for name in _TEST_PARTS if name in parts), None)


def _parquet(files: list[Path], test: str | None) -> SourceConfig:
    """The parts of several files, by how their names begin."""
    folder = files[0].parent

    def named(parts: tuple[str, ...]) -> str | None:
        for part in parts:
            own = [file for file in files if file.name.lower().startswith(part)]
            if own:
                return str(own[0]) if len(own) == 1 else str(folder / f"{part}*.parquet")
        return None

    beside = named(_TEST_PARTS)
    rest = [file for file in files if not file.name.lower().startswith(_TEST_PARTS)]
    train = named(_PARTS) or (str(rest[0]) if len(rest) == 1 else None)
    if train is None:
        if beside is not None or not rest:
            raise DataError(
                f"data: expected the images to learn from in {folder}/train*.parquet beside the test images, got "
                f"{len(rest)} other files"
            )
        train = str(folder / "*.parquet")
    return SourceConfig("parquet", train=train, test=test or beside)


def read_images(config: SourceConfig, image_size: int) -> tuple[RawData, int]:
    """The images, and how many channels they have: 1 where all to learn from are grey.

    Raises:
        DataError: they cannot be read, or are too few of a class.
    """
    read = partial(read_source, config, image_size=image_size, seed=0, key="data")
    raw = read(channels=3)
    counts = np.bincount(raw.train.labels, minlength=len(raw.class_names))
    if len(raw.class_names) < 2:
        raise DataError(f"data: expected at least 2 classes, got {printable(raw.class_names[0])}")
    if counts.min() == 0:
        raise DataError(f"data: expected images of every class, got none of {raw.class_names[int(counts.argmin())]!r}")
    if counts.min() < _FEWEST:
        few = raw.class_names[int(counts.argmin())]
        raise DataError(f"data: expected at least {_FEWEST} images of every class, got {counts.min()} of {few!r}")
    grey = all(bool((image == image[:1]).all()) for image in raw.train.images)  # the first in colour ends it
    return (hold_back(read(channels=1)), 1) if grey else (hold_back(raw), 3)


def with_absolute_paths(config: SourceConfig) -> SourceConfig:
    """The same source by paths that hold wherever a command is run."""

    def absolute(place: str | None) -> str | None:
        return None if place is None else str(Path(place).absolute())

    name = str(Path(config.name).absolute()) if config.name and Path(config.name).is_dir() else config.name
    return replace(config, name=name, train=absolute(config.train), test=absolute(config.test))
