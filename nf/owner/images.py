"""Where an owner's images are, and what they are like."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from nf.core.config import SourceConfig
from nf.core.errors import DataError
from nf.data import RawData, read_source

_PARTS = ("train", "training")
_TEST_PARTS = ("test", "val", "valid", "validation")
_FEWEST = 20
_LOOK = 64


def find_images(place: str, test: str | None = None) -> SourceConfig:
    """The source at ``place``: a folder with one sub-folder a class, Parquet, ``.npz``, or a data set of Hugging Face.

    A folder with ``train`` and ``test`` (or ``val``) in it has both parts; so has one of Parquet files of such names.

    Args:
        place: path, or name of a data set on Hugging Face's hub.
        test: path of the test part, in the same form; by default what lies beside the training part.

    Raises:
        DataError: there is nothing of these kinds.
    """
    path = Path(place)
    if not path.exists():
        if "/" in place and not place.startswith((".", "/")) and place.count("/") == 1 and test is None:
            return SourceConfig("hugging_face", name=place)
        raise DataError(f"data: expected images at {place}, found nothing")
    if path.is_file():
        kinds = {".parquet": "parquet", ".npz": "arrays"}
        if path.suffix not in kinds:
            raise DataError(f"data: expected a folder, a .parquet or a .npz file, got {place}")
        return SourceConfig(kinds[path.suffix], train=place, test=test)  # type: ignore[arg-type]
    if (path / "dataset_info.json").exists() or (path / "dataset_dict.json").exists():
        return SourceConfig("hugging_face", name=place)
    files = sorted(path.glob("*.parquet")) or sorted((path / "data").glob("*.parquet"))
    if files:
        return _parquet(files, test)
    folders = {each.name.lower(): each for each in sorted(path.iterdir()) if each.is_dir()}
    train = next((folders[name] for name in _PARTS if name in folders), None)
    if train is not None:
        beside = next((str(folders[name]) for name in _TEST_PARTS if name in folders), None)
        return SourceConfig("folder", train=str(train), test=test or beside)
    return SourceConfig("folder", train=place, test=test)


def _parquet(files: list[Path], test: str | None) -> SourceConfig:
    """The parts of several files, by how their names begin."""
    folder = files[0].parent

    def named(parts: tuple[str, ...]) -> str | None:
        for part in parts:
            own = [file for file in files if file.name.lower().startswith(part)]
            if own:
                return str(own[0]) if len(own) == 1 else str(folder / f"{part}*.parquet")
        return None

    train = named(_PARTS) or (str(files[0]) if len(files) == 1 else str(folder / "*.parquet"))
    return SourceConfig("parquet", train=train, test=test or named(_TEST_PARTS))


def read_images(config: SourceConfig, image_size: int) -> tuple[RawData, int]:
    """The images, and how many channels they have: 1 where all that were looked at are grey.

    Raises:
        DataError: they cannot be read, or a class has none.
    """
    raw = read_source(config, image_size=image_size, channels=3, seed=0, key="data")
    counts = np.bincount(raw.train.labels, minlength=len(raw.class_names))
    if len(raw.class_names) < 2:
        raise DataError(f"data: expected at least 2 classes, got {', '.join(raw.class_names) or 'none'}")
    if counts.min() == 0:
        raise DataError(f"data: expected images of every class, got none of {raw.class_names[int(counts.argmin())]!r}")
    if counts.min() < _FEWEST:
        few = raw.class_names[int(counts.argmin())]
        raise DataError(f"data: expected at least {_FEWEST} images of every class, got {counts.min()} of {few!r}")
    looked = raw.train.images[np.linspace(0, len(raw.train) - 1, _LOOK).astype(int)]
    grey = bool((looked[:, 0] == looked[:, 1]).all() and (looked[:, 0] == looked[:, 2]).all())
    if not grey:
        return raw, 3
    return read_source(config, image_size=image_size, channels=1, seed=0, key="data"), 1


def with_absolute_paths(config: SourceConfig) -> SourceConfig:
    """The same source by paths that hold wherever a command is run."""

    def absolute(place: str | None) -> str | None:
        return None if place is None else str(Path(place).absolute())

    name = str(Path(config.name).absolute()) if config.name and Path(config.name).is_dir() else config.name
    return replace(config, name=name, train=absolute(config.train), test=absolute(config.test))
