"""Meeting an owner's model: what it is, how it wants to be asked, how well it does, and what that will cost."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from nf.core.config import NetworkConfig, OwnModelConfig, SourceConfig
from nf.core.controls import Controls, draw_controls
from nf.core.errors import ArtifactError, ConfigError, DataError, NoVerdictError, SuspectError
from nf.core.interface import NOTHING_STATED, Interface
from nf.data import LabelledImages, RawData, to_float
from nf.gan import IMAGE_SIZES
from nf.models import OutsideClassifier, build_outside
from nf.owner.images import find_images, read_images, with_absolute_paths
from nf.owner.pilot import stopwatch
from nf.stages.own_model import open_own_model

CONTROLS = 200
"""Images that a black box is met with, as far as there are so many: each may cost."""

_CONTROLS_HERE = 1000
"""Images that a network is met with which answers here: ways of asking that lie close together take many to tell."""

_MIRRORED = 0.05
"""Share of the control images that a model may lose when they are mirrored, and mirrors still be the same class."""

_SLOW_SECONDS = 2e-3
"""Seconds an image, above which the model's answers are remembered and not asked anew in every epoch."""

_COPY_SECONDS = 0.02
"""Seconds an image of training, above which no copies of the model are made."""

_MANY_CLASSES = 10
_LEAST_EXPECTED = 0.4
"""Share of images that a model of so many classes is taken to get right at least, as nobody has asked it yet."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What an owner says of a model and its images; what is not said is found out.

    Attributes:
        model: as ``NetworkConfig.open``.
        data: place of the images that it learned from; see ``nf.owner.images.find_images``.
        weights: file with its weights, for a model that a factory builds.
        test: place of images that it did not learn from.
        others: place of images of the same classes that it never saw, for independent models.
        unlabelled: place of images of other things, which a thief may ask it about; drawn ones by default.
        interface: how the model is asked, as far as that is known.
        image_size: pixels of a side at which queries and students work: 16, 32, 64 or 128; by default 32, 64 on a GPU.

    Raises:
        ConfigError: ``image_size`` is none of these.
    """

    model: str
    data: str
    weights: str | None = None
    test: str | None = None
    others: str | None = None
    unlabelled: str | None = None
    interface: Interface = NOTHING_STATED
    image_size: int | None = None

    def __post_init__(self) -> None:
        if self.image_size is not None and self.image_size not in IMAGE_SIZES:
            sizes = ", ".join(map(str, IMAGE_SIZES))
            raise ConfigError(f"image_size: expected one of {sizes} pixels, got {self.image_size}")


@dataclass(frozen=True)
class Introduction:
    """What was found of a model and its images.

    Attributes:
        own: the model, with all that is known of how it is asked.
        data: the images that it learned from.
        others: images that it never saw, with the same classes; ``None`` without any.
        unlabelled: images of other things; ``None`` without any.
        class_names: the classes.
        counts: number of images of each class.
        image_size: pixels of a side at which queries and students work.
        channels: 1 or 3.
        right: control images that the model got right.
        controls: number of control images.
        seconds: seconds that it takes to answer an image.
        copy_seconds: seconds that a step of training a copy of it takes for an image; infinite without copies.
        flip: whether it knows the images in a mirror, too, so that models may be trained on mirrored ones.
        untrained: the model's architecture with other weights, for honest models; ``None`` where that cannot be had.
        raw: the images, ``image_size`` pixels of a side.
    """

    own: OwnModelConfig
    data: SourceConfig
    others: SourceConfig | None
    unlabelled: SourceConfig | None
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    image_size: int
    channels: int
    right: int
    controls: int
    seconds: float
    copy_seconds: float
    flip: bool
    untrained: NetworkConfig | None
    raw: RawData = field(repr=False)

    @property
    def accuracy(self) -> float | None:
        """Share of images that it did not learn from which it gets right, in [0, 1]; ``None`` where there are none.

        Never all of them (Laplace's rule): few images cannot tell.
        """
        return (self.right + 1) / (self.controls + 2) if self.raw.test is not None else None


def introduce(wishes: Wishes, say: Say = lambda _: None) -> Introduction:
    """Read the images, open the model, and find out how it wants to be asked.

    Args:
        wishes: what the owner says.
        say: called with a line for each thing that is found.

    Raises:
        DataError: the images cannot be read, or are too few.
        ConfigError: the model cannot be opened, or does not know these classes.
        ArtifactError: the model's weights cannot be read.
        SuspectError: the model's file cannot be loaded, or it does not answer.
    """
    size = wishes.image_size or (64 if torch.cuda.is_available() else 32)
    source = with_absolute_paths(find_images(wishes.data, wishes.test))
    raw, channels = read_images(source, size)
    counts = np.bincount(raw.train.labels, minlength=len(raw.class_names))
    say(f"images     {_describe(raw, counts)}, {'grey' if channels == 1 else 'in colour'}, brought to {size}x{size}")
    config = NetworkConfig(wishes.model, wishes.weights, wishes.interface)
    shown = raw.test if raw.test is not None else raw.train
    controls = _controls(shown, raw, _CONTROLS_HERE if config.trainable else CONTROLS)
    met = _meet(config, controls, len(raw.class_names), channels)
    own, copy_seconds = _own(config, met.how, met.seconds, raw, channels)
    say(f"model      {wishes.model}, asked as {met.how}")
    if met.rivals:
        say(
            f"           or as {', or as '.join(map(str, met.rivals))}: about as many right; if you know, state --input"
        )
    where = "held-back" if raw.test is not None else "its own"
    say(f"accuracy   {met.right} of {met.controls} {where} images at this size, {met.seconds * 1e3:.1f} ms an image")
    if raw.test is None:
        say("           without --test, control images come from those, too: no suspect is too good for a verdict")
    others, unlabelled = _found("others", wishes.others), _found("unlabelled", wishes.unlabelled)
    return Introduction(
        own,
        source,
        others,
        unlabelled,
        raw.class_names,
        tuple(int(count) for count in counts),
        size,
        channels,
        met.right,
        met.controls,
        met.seconds,
        copy_seconds,
        met.flip,
        _untrained(own, len(raw.class_names), channels) if own.copied else None,
        raw,
    )


@dataclass(frozen=True)
class _Met:
    """How the model wants to be asked, what it got right so, how long an answer takes it, and whether mirrors do."""

    how: Interface
    right: int
    controls: int
    seconds: float
    flip: bool
    rivals: tuple[Interface, ...]


def _found(option: str, place: str | None) -> SourceConfig | None:
    """The images that an option names."""
    try:
        return with_absolute_paths(find_images(place)) if place else None
    except DataError as error:
        raise DataError(str(error).replace("data:", f"{option}:", 1)) from error


def _meet(config: NetworkConfig, controls: Controls, classes: int, channels: int) -> _Met:
    """Also as a network for images in colour where these are grey, and the reverse, where nobody says."""
    try:
        return _meet_as(config, controls, classes, channels)
    except (SuspectError, ConfigError, ArtifactError) as error:
        answered = isinstance(error.__cause__, NoVerdictError)
        if answered or config.interface.channels is not None or not config.trainable:
            raise
        other = Interface(channels="rgb" if channels == 1 else "grey").over(config.interface)
        try:
            return _meet_as(replace(config, interface=other), controls, classes, channels)
        except (SuspectError, ConfigError, ArtifactError) as second:
            raise (second if isinstance(second.__cause__, NoVerdictError) else error) from None


def _meet_as(config: NetworkConfig, controls: Controls, classes: int, channels: int) -> _Met:
    model = open_own_model(config, classes, channels)
    try:
        found = model.find(controls, classes)
    except NoVerdictError as error:
        fresh = "; its weights are fresh: name a file with --weights" if config.trainable and not config.weights else ""
        raise ConfigError(
            f"model: expected one that knows these {classes} classes, but {error}; is it the right model, and are the "
            f"classes in the order in which it learned them?{fresh}"
        ) from error
    known = open_own_model(replace(config, interface=found.how), classes, channels)
    known.answers(controls.images[:2], classes)
    took, started = stopwatch(), time.perf_counter()
    mirrored = known.answers(np.ascontiguousarray(controls.images[..., ::-1]), classes)
    # A black box works elsewhere; a network works here, where others may be in its way.
    seconds = (took() if config.trainable else time.perf_counter() - started) / len(controls)
    lost = found.right - int((mirrored.labels == controls.labels).sum())
    return _Met(found.how, found.right, found.controls, seconds, lost <= _MIRRORED * len(controls), found.rivals)


def _controls(images: LabelledImages, raw: RawData, most: int) -> Controls:
    places = draw_controls(images.labels, most, 0)
    pixels = raw.train.images
    mean, std = (np.round(function(pixels, axis=(0, 2, 3)) / 255, 6).tolist() for function in (np.mean, np.std))
    expected = _LEAST_EXPECTED if len(raw.class_names) >= _MANY_CLASSES else None
    shown, labels = images.images[places], images.labels[places]
    return Controls(shown, labels, raw.class_names, tuple(mean), tuple(std), source_accuracy=expected)


def _own(
    config: NetworkConfig, how: Interface, seconds: float, raw: RawData, channels: int
) -> tuple[OwnModelConfig, float]:
    """The model as the profile has it, and seconds that training a copy takes for an image."""
    remember = seconds > _SLOW_SECONDS
    if not config.trainable:
        return OwnModelConfig(config.open, config.weights, how, copies=False, remember=True), math.inf
    own = OwnModelConfig(config.open, config.weights, how, copies=True, remember=remember)
    copy_seconds = _seconds_of_training(own, raw, channels)
    return replace(own, copies=copy_seconds < _COPY_SECONDS), copy_seconds


def _seconds_of_training(own: OwnModelConfig, raw: RawData, channels: int) -> float:
    """Seconds that a step of training takes for an image; infinite where the network cannot be trained so."""
    model = _build(own, len(raw.class_names), channels).train()
    images = to_float(torch.from_numpy(raw.train.images[:16]))
    try:
        _ = model.classifier
        seconds = math.inf
        for _ in range(3):
            took = stopwatch()
            torch.nn.functional.cross_entropy(model(images), torch.from_numpy(raw.train.labels[:16])).backward()
            seconds = min(seconds, took() / len(images))
    except (ConfigError, RuntimeError, ValueError):
        return math.inf
    return seconds


def _untrained(own: OwnModelConfig, classes: int, channels: int) -> NetworkConfig | None:
    """The owner's architecture with weights drawn anew; ``None`` where it brings weights, as Hugging Face's do."""
    fresh = NetworkConfig(own.open, interface=own.interface)
    known, drawn = (dict(_build(each, classes, channels, seed=1).named_parameters()) for each in (own, fresh))
    filters = [name for name, weight in drawn.items() if weight.ndim > 1]
    return None if any(torch.equal(known[name], drawn[name]) for name in filters) else fresh


def _build(network: NetworkConfig, classes: int, channels: int, seed: int = 0) -> OutsideClassifier:
    return build_outside(
        open=network.open,
        interface=network.interface.to_json(),
        num_classes=classes,
        in_channels=channels,
        mean=(0.5,) * channels,
        std=(0.5,) * channels,
        weights=network.weights,
        seed=seed,
    )


def _describe(raw: RawData, counts: np.ndarray) -> str:
    test = f" and {len(raw.test):,} held back" if raw.test is not None else ""
    per_class = f"{counts.min():,}" if counts.min() == counts.max() else f"{counts.min():,} to {counts.max():,}"
    return f"{len(raw.train):,}{test}, {len(raw.class_names)} classes of {per_class}"
