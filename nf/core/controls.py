"""Control images: labelled images of the owner, no secret, that show whether a suspect was asked well."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nf.core.errors import ArtifactError
from nf.core.files import restore, sha256_bytes, write_bytes
from nf.core.paths import CONTROLS_FILE
from nf.core.sections import parse_section

MIN_ACCURACY = 0.6
"""Share of the control images that a suspect has to get right before it is asked a query, if the source gets many."""

_OF_KNOWN = 0.8
"""What it has to get right where a known model gets few: this part of that model's share."""

_WEAKER = 0.05
"""Share of the test images by which the better honest calibration models may fall behind the source."""


@dataclass(frozen=True)
class ControlsCard:
    """What a query set's card says under ``controls``.

    Attributes:
        digest: SHA-256 of images and labels.
        count: number of images.
        class_names: the owner's, in the order of labels.
        mean: mean of each channel of the owner's images, in [0, 1].
        std: deviation of each channel.
        usual: number of the images that nine in ten calibration models get right at least, where that is known.
        best: number that one in ten honest ones of them gets right at least, where that is known.
        source_accuracy: share of all test images that the source gets right, in [0, 1], where that is known: it is not
            where the source may have learned from them.
        honest_accuracy: what the best quarter of honest calibration models reach of that, where that is known.
    """

    digest: str
    count: int
    class_names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    usual: int | None = None
    best: int | None = None
    source_accuracy: float | None = None
    honest_accuracy: float | None = None


@dataclass(frozen=True)
class Controls:
    """What a suspect is asked before the queries.

    Attributes:
        images: (M, C, H, W) uint8, in an order in which any beginning is balanced by class.
        labels: (M,) int64, what they show.
        class_names: the owner's, in the order of labels.
        mean: mean of each channel of the owner's images, in [0, 1].
        std: deviation of each channel.
        usual: number of the images that nine in ten calibration models get right at least; ``None`` if not known.
        best: number that one in ten honest ones of them gets right at least; ``None`` if not known.
        source_accuracy: share of all test images that the source gets right, in [0, 1]; ``None`` if not known.
        honest_accuracy: what the best quarter of honest calibration models reach of that; ``None`` if not known.

    Raises:
        ValueError: shapes or types do not fit.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    usual: int | None = None
    best: int | None = None
    source_accuracy: float | None = None
    honest_accuracy: float | None = None

    def __post_init__(self) -> None:
        fits = self.images.ndim == 4 and self.images.dtype == np.uint8 and len(self.images) > 0
        if not fits or self.labels.shape != (len(self.images),) or self.labels.dtype != np.int64:
            raise ValueError(
                "controls: expected uint8 (M, C, H, W) and int64 (M,) with M >= 1, "
                f"got {self.images.dtype} {self.images.shape} and {self.labels.dtype} {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def some(self, places: Sequence[int]) -> "Controls":
        """Those at ``places``; what is known of others' right answers to all of them is scaled to so few.

        ``usual`` is left out, as one in ten of few images is less than chance.
        """
        best = None if self.best is None else round(self.best * len(places) / len(self))
        return replace(self, images=self.images[list(places)], labels=self.labels[list(places)], usual=None, best=best)

    @property
    def floor(self) -> float:
        """Share of the images, in (0, 1], that a suspect has to get right: a hard task has few right answers."""
        known = self.honest_accuracy if self.source_accuracy is None else self.source_accuracy
        return MIN_ACCURACY if known is None else min(MIN_ACCURACY, _OF_KNOWN * known)

    @property
    def weakness(self) -> str | None:
        """Why honest models as good as the source may be accused, if the honest calibration models are worse than it.

        Queries then tell good models from bad ones, and the levels hold for bad ones only.
        """
        source, honest = self.source_accuracy, self.honest_accuracy
        if source is None or honest is None or source - honest <= _WEAKER:
            return None
        return (
            f"the better honest calibration models get {honest:.0%} of the test images right, the source "
            f"{source:.0%}: "
            "an honest model as good as the source may be called stolen"
        )

    def too_good(self, right: int, asked: int) -> bool:
        """Whether getting ``right`` of ``asked`` images right is better than the honest calibration models are.

        By more than chance allows, which is two standard errors.
        """
        if self.best is None:
            return False
        share = self.best / len(self)
        return right / asked > share + 2 * math.sqrt(share * (1 - share) / asked)

    @property
    def digest(self) -> str:
        """SHA-256 of images and labels."""
        parts = (np.ascontiguousarray(self.images), np.ascontiguousarray(self.labels))
        return sha256_bytes(b"".join(str(a.shape).encode() + a.tobytes() for a in parts))

    @property
    def card(self) -> dict[str, Any]:
        """Plain values for the query set's card."""
        rest = {"class_names": list(self.class_names), "mean": list(self.mean), "std": list(self.std)}
        known = {name: value for name in _KNOWN if (value := getattr(self, name)) is not None}
        return {"digest": self.digest, "count": len(self), **rest, **known}

    def save(self, folder: Path) -> None:
        """Write ``controls.safetensors`` into ``folder``."""
        tensors: dict[str, NDArray[Any]] = {
            "images": np.ascontiguousarray(self.images),
            "labels": np.ascontiguousarray(self.labels),
        }
        write_bytes(folder / CONTROLS_FILE, save(tensors))

    @classmethod
    def load(cls, folder: Path, card: Any) -> "Controls":
        """Read what ``save`` wrote and check it against ``card``.

        Raises:
            ArtifactError: the file is missing or damaged, or does not match the card.
            ConfigError: the card is not one.
        """
        path = folder / CONTROLS_FILE
        facts = parse_section(ControlsCard, card, f"{folder}: the card's controls")
        try:
            tensors = load(path.read_bytes())
            pixels, labels = tensors["images"], tensors["labels"]
            controls = cls(pixels, labels, facts.class_names, facts.mean, facts.std, *_known(facts))
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ArtifactError(f"{path} is missing or damaged ({error}); {restore(folder)}") from error
        if controls.digest != facts.digest:
            raise ArtifactError(f"{path} does not match the digest in its card; {restore(folder)}")
        return controls


_KNOWN = ("usual", "best", "source_accuracy", "honest_accuracy")


def _known(facts: ControlsCard) -> tuple[Any, ...]:
    return tuple(getattr(facts, name) for name in _KNOWN)


def draw_controls(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Places of ``count`` of the images with these ``labels``, or of all if they are fewer, class by class in turn.

    Where there are more classes than ``count``, chance says which of them are shown.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    classes, place = np.unique(labels[shuffled], return_inverse=True)
    order = rng.permutation(len(classes)) if len(classes) > count else np.arange(len(classes))
    turn = np.zeros(len(labels), np.int64)
    for each in range(len(classes)):
        own = np.flatnonzero(place == each)
        turn[own] = np.arange(len(own))
    return shuffled[np.lexsort((order[place], turn))[:count]]
