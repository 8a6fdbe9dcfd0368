"""The four disjoint splits: A (the owner's), B (everyone else's), fine-tune (a thief's) and test (accuracy only)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nf.core.config import DataConfig
from nf.core.errors import ArtifactError, DataError
from nf.core.files import read_json, sha256_bytes, take_away, write_bytes, write_sealed
from nf.core.paths import CARD_FILE
from nf.core.printing import printable
from nf.core.seeds import derive_seed
from nf.data.sources import LabelledImages, RawData, read_source

SPLIT_NAMES = ("A", "B", "finetune", "test")
KNOCKOFF = "knockoff"
_IMAGES_FILE = "images.safetensors"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Splits:
    """The images of a profile.

    Attributes:
        parts: images by name of the split: ``A``, ``B``, ``finetune`` and ``test``, stratified and disjoint, and
            ``knockoff``, whose labels are meaningless (a thief never learns any).
        class_names: name of each class, in the order of the labels.
        mean: mean of each channel over A and B, in units of the [0, 1] range.
        std: standard deviation of each channel over A and B, in units of the [0, 1] range.
        hashes: SHA-256 of images and labels by name of the split.
        test_split_off: whether test and fine-tune were split off training images, as the source has no test part: a
            model that was trained elsewhere may have learned from them.
    """

    parts: dict[str, LabelledImages]
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    hashes: dict[str, str]
    test_split_off: bool = False

    def __getitem__(self, name: str) -> LabelledImages:
        return self.parts[name]

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width (C, H, W) of each image."""
        channels, height, width = self.parts["A"].images.shape[1:]
        return channels, height, width

    def save(self, folder: Path) -> None:
        """Write ``images.safetensors`` and, last, ``card.json`` into ``folder``.

        Raises:
            ArtifactError: a file cannot be written.
        """
        tensors: dict[str, NDArray[Any]] = {}
        for name, part in self.parts.items():
            tensors[f"{name}.images"] = np.ascontiguousarray(part.images)
            tensors[f"{name}.labels"] = part.labels
        take_away(folder / CARD_FILE)  # it vouches for the images
        write_bytes(folder / _IMAGES_FILE, save(tensors))
        write_sealed(folder / CARD_FILE, self.card)

    @property
    def card(self) -> dict[str, Any]:
        """Plain values for ``card.json``: sizes, hashes and origin of the splits, classes, channel statistics."""
        return {
            "class_names": list(self.class_names),
            "mean": list(self.mean),
            "std": list(self.std),
            "image_shape": list(self.image_shape),
            "sizes": {name: len(part) for name, part in self.parts.items()},
            "hashes": self.hashes,
            "test_split_off": self.test_split_off,
        }

    @classmethod
    def load(cls, folder: Path) -> "Splits":
        """Read the splits that ``save`` wrote into ``folder`` and check their hashes.

        Raises:
            ArtifactError: a file is missing, damaged or does not match the card.
        """
        card, path = read_json(folder / CARD_FILE, advice="run `nf prepare`"), folder / _IMAGES_FILE
        try:
            tensors = load(path.read_bytes())
            parts = {
                name: LabelledImages(tensors[f"{name}.images"], tensors[f"{name}.labels"]) for name in card["sizes"]
            }
        except FileNotFoundError:
            raise ArtifactError(f"expected the splits at {path}, found nothing; run `nf prepare`") from None
        except (OSError, SafetensorError, KeyError) as error:
            raise ArtifactError(f"{path} is damaged ({error}); run `nf prepare` again") from error
        hashes = {name: _hash(part) for name, part in parts.items()}
        if hashes != card["hashes"]:
            raise ArtifactError(f"{path} does not match the hashes in its card; run `nf prepare` again")
        split_off = card.get("test_split_off", False)  # which older cards do not say
        return cls(parts, tuple(card["class_names"]), tuple(card["mean"]), tuple(card["std"]), hashes, split_off)


def prepare_splits(config: DataConfig, *, seed: int) -> Splits:
    """Read the profile's sources and split them.

    The training part is halved into A and B, unless B has a source of its own, and the test part into fine-tune and
    test, each stratified by class. A source without a test part gives up ``config.test_fraction`` of its images first.
    What a part of ``config.source`` holds more than once is taken once, with a warning.

    Args:
        config: sources, image size and channels.
        seed: the profile's seed, from which every random choice of images derives its own.

    Raises:
        DataError: a source cannot be read, a class has too few images for four splits or is left with too few by a
            limit, or nobody else has others of every class.
    """
    read = partial(read_source, image_size=config.image_size, channels=config.channels)
    raw = read(config.source, seed=derive_seed(seed, "data"))
    test_part = None if raw.test is None else _drop_repeats(raw.test, "test")
    raw = hold_back(replace(raw, train=_drop_repeats(raw.train, "training"), test=test_part))
    split, limit = partial(_split, names=raw.class_names), partial(_limit_classes, names=raw.class_names)
    if raw.test is None:
        train, test = split(raw.train, 1 - config.test_fraction, derive_seed(seed, "data", "test"))
        _check_classes(
            test, raw, 2, "data.source", "in the test part", "; add images of it, or raise data.test_fraction"
        )
    else:
        train, test = raw.train, raw.test
    least = 2 if config.others is None else 1  # as it is halved
    limit_seed = derive_seed(seed, "data", "limit-train")
    train = limit(train, config.source.images, limit_seed, least=least, key="data.source.images")
    limit_seed = derive_seed(seed, "data", "limit-test")
    test = limit(test, config.source.test_images, limit_seed, least=2, key="data.source.test_images")
    if config.others is None:
        a, b = split(train, 0.5, derive_seed(seed, "data", "halves"))
    else:
        others = read(config.others, seed=derive_seed(seed, "data", "others"), key="data.others")
        if others.class_names != raw.class_names:
            wanted, got = (printable(", ".join(each.class_names)) for each in (raw, others))
            raise DataError(f"data.others: expected the classes {wanted}, got {got}")
        # All of the owner's: its model learned from the images beyond the limit, too.
        remaining = _without(others.train, raw.train, *([raw.test] if raw.test is not None else []))
        if not len(remaining):
            raise DataError("data.others: expected images that data.source does not have, got the same")
        _check_classes(remaining, raw, 1, "data.others", "that data.source does not have")
        limit_seed = derive_seed(seed, "data", "limit-others")
        a, b = train, limit(remaining, config.others.images, limit_seed, least=1, key="data.others.images")
    finetune, held_out = split(test, 0.5, derive_seed(seed, "data", "test-halves"))
    own_seed = derive_seed(seed, "data", "knockoff")
    transfer = read(config.knockoff, seed=own_seed, key="data.knockoff", labelled=False).train
    transfer = _limit(transfer, config.knockoff.images, derive_seed(seed, "data", "limit-knockoff"))
    parts = {"A": a, "B": b, "finetune": finetune, "test": held_out, KNOCKOFF: transfer}
    pixels = np.concatenate([a.images, b.images])
    mean, std = (function(pixels, axis=(0, 2, 3), dtype=np.float64) / 255 for function in (np.mean, np.std))
    return Splits(
        parts,
        raw.class_names,
        tuple(np.round(mean, 6).tolist()),
        tuple(np.round(np.maximum(std, 1e-3), 6).tolist()),
        {name: _hash(part) for name, part in parts.items()},
        raw.test is None,
    )


def _split(
    data: LabelledImages, fraction: float, seed: int, *, names: Sequence[str]
) -> tuple[LabelledImages, LabelledImages]:
    from sklearn.model_selection import train_test_split

    try:
        first, second = train_test_split(
            np.arange(len(data)), train_size=fraction, stratify=data.labels, random_state=seed % 2**32
        )
    except ValueError as error:
        counts = np.bincount(data.labels, minlength=len(names))
        least = f"of which {names[int(counts.argmin())]!r} has {counts.min() or 'none'}"
        raise DataError(f"cannot split {len(data)} images by class, {least}: {error}") from error
    return data.take(np.sort(first)), data.take(np.sort(second))


def _check_classes(data: LabelledImages, raw: RawData, least: int, key: str, which: str, advice: str = "") -> None:
    """Refuse ``data`` with fewer than ``least`` images of a class that the owner has any of."""
    names = raw.class_names
    known, counts = (np.bincount(labels, minlength=len(names)) for labels in (raw.train.labels, data.labels))
    few = np.flatnonzero((known > 0) & (counts < least))
    if len(few):
        label = few[int(counts[few].argmin())]
        raise DataError(
            f"{key}: expected at least {least} image{'s' if least > 1 else ''} of every class {which}, got "
            f"{counts[label] or 'none'} of {names[label]!r}{advice}"
        )


def _drop_repeats(data: LabelledImages, part: str) -> LabelledImages:
    """Each image once: of those with the same pixels the first stays, whatever labels the others have."""
    first: dict[str, int] = {}
    originals = np.array([first.setdefault(sha256_bytes(image.tobytes()), i) for i, image in enumerate(data.images)])
    kept = np.array(list(first.values()), dtype=np.int64)
    if len(kept) == len(data):
        return data
    _logger.warning(
        "data.source: left out %d of %d images of the %s part, which repeat earlier ones, %d with another label",
        len(data) - len(kept),
        len(data),
        part,
        np.count_nonzero(data.labels != data.labels[originals]),
    )
    return data.take(kept)


def hold_back(raw: RawData) -> RawData:
    """The same images, without those in the test part that are in the training part, too.

    Raises:
        DataError: fewer than two test images of a class are left, as the test part is halved.
    """
    if raw.test is None:
        return raw
    test = _without(raw.test, raw.train)
    counts = np.bincount(test.labels, minlength=len(raw.class_names))
    if counts.min() < 2:
        name, shared = raw.class_names[int(counts.argmin())], len(raw.test) - len(test)
        raise DataError(
            f"test part: expected at least 2 images of every class, got {counts.min() or 'none'} of {name!r}"
            + (f", as {shared} of {len(raw.test)} are training images, too" if shared else "")
        )
    return replace(raw, test=test)


def _without(data: LabelledImages, *others: LabelledImages) -> LabelledImages:
    """The images that are in none of ``others``: splits are disjoint, whatever their sources have in common."""
    known = {sha256_bytes(image.tobytes()) for part in others for image in part.images}
    kept = [index for index, image in enumerate(data.images) if sha256_bytes(image.tobytes()) not in known]
    return data if len(kept) == len(data) else data.take(np.array(kept, dtype=np.int64))


def _limit_classes(
    data: LabelledImages, count: int | None, seed: int, *, names: Sequence[str], least: int, key: str
) -> LabelledImages:
    """At most ``count`` images, of each class as large a share as before where that can be.

    Raises:
        DataError: ``least`` images of some class are not left; ``key`` is what set the limit.
    """
    if count is None or count >= len(data):
        return data
    before = np.bincount(data.labels, minlength=len(names))
    classes = np.count_nonzero(before)
    # What is left out must hold every class, too; where it is fewer images than that, their classes matter little.
    stratified = min(count, len(data) - count) >= classes
    kept = _split(data, count / len(data), seed, names=names)[0] if stratified else _limit(data, count, seed)
    after = np.bincount(kept.labels, minlength=len(names))
    few = min(np.flatnonzero(before).tolist(), key=lambda label: (after[label], before[label]))
    if after[few] < least:
        raise DataError(
            f"{key}: expected a limit that leaves at least {least} images of every class, got {count}, which leaves "
            f"{after[few] or 'none'} of the {before[few]} of {names[few]!r}; raise it, or take it out"
        )
    return kept


def _limit(data: LabelledImages, count: int | None, seed: int) -> LabelledImages:
    if count is None or count >= len(data):
        return data
    return data.take(np.sort(np.random.default_rng(seed).permutation(len(data))[:count]))


def _hash(part: LabelledImages) -> str:
    images: NDArray[np.uint8] = np.ascontiguousarray(part.images)
    return sha256_bytes(str(images.shape).encode() + images.tobytes() + part.labels.tobytes())
