"""How long each architecture must learn to be as good as the owner's model: tried out on the owner's images.

A verdict holds a suspect against honest models. Where these are worse than what others train, a good model of somebody
else's answers like a thief, for it is right where they are wrong. So they have to be as good as the owner's.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nf.core.config import NetworkConfig, TrainingConfig
from nf.core.errors import TrainingError
from nf.data import Augment, LabelledImages, RawData
from nf.models import Classifier, accuracy, build_network, fit

TRIES = (12_000, 36_000)
"""Images that a network learns from in each try, each time counted."""

MOST_PASSES = 150_000
"""No network learns from more: what is not as good as the owner's model by then will hardly be."""

BATCH = 64
RATES = (0.2, 0.05, 0.0125)
"""Peaks of the learning rate. At the first, this project's networks learn most from few images; others are tried."""

_SLOPE = 0.3
"""How fast the error falls at least: as this power of the images that were learned from."""

_TIMED_IMAGES = 256
_HELD_OUT = 0.2
_MOST_TESTS = 2_000


@dataclass(frozen=True)
class Pilot:
    """What an architecture needs.

    Attributes:
        passes: images that it must learn from, each time counted, to be as good as the owner's model.
        seconds: seconds of one core for an image of these.
        reached: share of held-back images that it got right in its longest try; ``None`` where a try takes too long.
        rate: peak of the learning rate at which it learns.
    """

    passes: int
    seconds: float
    reached: float | None
    rate: float = RATES[0]

    @property
    def model_seconds(self) -> float:
        """Seconds of one core for a model as good as the owner's."""
        return self.passes * self.seconds


@dataclass(frozen=True)
class Course:
    """What the models of a zoo will learn from, and how.

    Attributes:
        raw: the owner's images, in the size of the zoo's networks.
        widths: width of each architecture; ``default`` for those that are not named.
        images: number of images that there will be to learn from.
        most_epochs: largest number of times that each of them may be learned from.
        augment: how they are shifted and mirrored.
        networks: architectures from outside, by name.
    """

    raw: RawData
    widths: Mapping[str, float]
    images: int
    most_epochs: int
    augment: Augment
    networks: Mapping[str, NetworkConfig] = field(default_factory=dict)

    def parts(self) -> tuple[LabelledImages, LabelledImages]:
        """As many images to learn from as there will be, and others to be asked."""
        rng, raw = np.random.default_rng(0), self.raw
        order = rng.permutation(len(raw.train))
        if raw.test is None:
            held_out = max(1, int(len(order) * _HELD_OUT))
            test, order = raw.train.take(order[:held_out]), order[held_out:]
        else:
            test = raw.test.take(rng.permutation(len(raw.test)))
        return raw.train.take(order[: self.images]), test.take(np.arange(min(len(test), _MOST_TESTS)))

    def train(
        self, architecture: str, images: LabelledImages, epochs: int, rate: float = RATES[0]
    ) -> tuple[Classifier, float]:
        """A network that learned from ``images``, and the seconds that it took for one of them.

        Raises:
            TrainingError: training diverged.
        """
        channels = images.images.shape[1]
        build = {
            **self._network(architecture),
            "in_channels": channels,
            "num_classes": len(self.raw.class_names),
            "mean": (0.5,) * channels,
            "std": (0.25,) * channels,
        }
        model = build_network(build, seed=0)
        took = stopwatch()
        fit(model, *_tensors(images), TrainingConfig(epochs, BATCH, rate), seed=0, augment=self.augment)
        return model, took() / (epochs * len(images))

    def _network(self, architecture: str) -> dict[str, Any]:
        if architecture in self.networks:
            outside = self.networks[architecture]
            return {"open": outside.open, "interface": outside.interface.to_json()}
        return {"architecture": architecture, "width": self.widths.get(architecture, self.widths["default"])}


def train_pilots(
    course: Course,
    architectures: Sequence[str],
    wanted: float | None,
    *,
    patience: float = 90.0,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Pilot]:
    """What each of the ``architectures`` needs to get the share ``wanted`` of the held-back images right.

    Args:
        course: what there is to learn from.
        architectures: networks to try.
        wanted: share in [0, 1]; ``None`` where nobody knows how good the owner's model is.
        patience: seconds of a try beyond which there is none.
        say: called with a line for each architecture.
    """
    parts = course.parts()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = {}
        for name in architectures:
            found[name] = need = _try(course, name, *parts, wanted, patience)
            reached = "is too slow to try" if need.reached is None else f"gets {need.reached:.0%} right"
            say(f"pilot      {name} {reached}, will learn from {need.passes:,} images")
        return found
    finally:
        torch.set_num_threads(threads)


def _try(
    course: Course,
    architecture: str,
    train: LabelledImages,
    test: LabelledImages,
    wanted: float | None,
    patience: float,
) -> Pilot:
    """Train a network ever longer, until it is as good as it has to be; one from outside at several rates at first."""
    few = train.take(np.arange(min(len(train), _TIMED_IMAGES)))
    seconds = min(course.train(architecture, few, 1, RATES[-1])[1] for _ in range(2))  # at which nothing diverges
    errors: dict[int, float] = {}
    rates = RATES if architecture in course.networks else RATES[:1]
    for passes in TRIES:
        epochs = min(course.most_epochs, max(1, round(passes / len(train))))
        if epochs * len(train) * seconds > patience or epochs * len(train) in errors:
            break
        error, rate, seconds = min(_tried(course, architecture, train, test, epochs, rate, seconds) for rate in rates)
        rates = (rate,)
        errors[epochs * len(train)] = error
        if wanted is not None and error <= 1 - wanted:
            break
    reached = 1 - min(errors.values()) if errors else None
    return Pilot(needed(errors, None if wanted is None else 1 - wanted), seconds, reached, rates[0])


def _tried(
    course: Course,
    architecture: str,
    train: LabelledImages,
    test: LabelledImages,
    epochs: int,
    rate: float,
    seconds: float,
) -> tuple[float, float, float]:
    """Error of a network at ``rate``, the rate, and seconds for an image: those that are known where it diverges."""
    try:
        model, seconds = course.train(architecture, train, epochs, rate)
    except TrainingError:
        return 1.0, rate, seconds
    return 1 - accuracy(model, *_tensors(test)), rate, seconds


def needed(errors: Mapping[int, float], wanted: float | None) -> int:
    """Images to learn from until the error is ``wanted``, where it falls as a power of them.

    Args:
        errors: error in [0, 1] of each try by the images that it learned from, the shortest first.
        wanted: error in [0, 1]; ``None`` takes the longest try.
    """
    if not errors:
        return MOST_PASSES
    *before, (passes, error) = errors.items()
    if wanted is None or (error <= wanted and not before):
        return passes
    if wanted <= 0 or error <= 0:
        return MOST_PASSES if error > 0 else passes
    slope = _SLOPE
    if before:
        fewer, worse = before[-1]
        slope = max(_SLOPE, math.log(worse / error) / math.log(passes / fewer))
    return int(min(MOST_PASSES, max(next(iter(errors)), passes * (error / wanted) ** (1 / slope))))


def stopwatch() -> Callable[[], float]:
    """Begin to measure; the result says how many seconds it has been, or this process's own where others interfere."""
    started, own = time.perf_counter(), time.process_time()
    return lambda: min(time.perf_counter() - started, time.process_time() - own)


def _tensors(images: LabelledImages) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(images.images), torch.from_numpy(images.labels)
