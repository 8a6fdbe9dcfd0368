"""Conventions that a classifier may have, put before and behind a network that takes (N, C, H, W) in [0, 1].

Those of the kind ``searched`` are ways of asking that ``nf.suspects`` tries, and ``rare`` ones it tries where these do
poorly; to one of the kind ``unknown`` nobody asks rightly, and ``broken`` ones do not tell the owner's classes apart.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.interface import PRESETS
from nf.suspects import Interface
from nf.suspects.interpret import Raw
from nf.suspects.network import Network
from nf.suspects.onnx import OnnxNetwork
from nf.suspects.signature import Port, Signature

Numbers = NDArray[np.float64]
Kind = Literal["searched", "rare", "unknown", "broken"]
Shape = tuple[int, ...]
Dimensions = tuple[int | None, ...]

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Convention:
    """How a classifier takes images and answers.

    Attributes:
        name: unique name.
        kind: whether the search tries it.
        shape: of its input, without the batch; ``None`` takes that of the images.
        dtype: numpy's name of what it takes.
        taken: function from what it is sent, (N, ...), to (N, C, H, W) in [0, 1].
        answered: function from logits, and random numbers, to what it answers.
        port: name of the type and shape of an answer.
        scale: whether nothing but the scale of pixels is its own.
    """

    name: str
    kind: Kind = "searched"
    shape: Dimensions | None = None
    dtype: str = "float32"
    taken: Callable[[Numbers], Numbers] = lambda given: given
    answered: Callable[[NDArray[np.float32], np.random.Generator], Raw] = lambda logits, rng: logits
    port: tuple[str, Dimensions] | None = None
    scale: bool = False


class Inner:
    """A network that takes (N, C, H, W) in [0, 1] and answers logits, each image once: many ways of asking agree.

    Attributes:
        path: the network's file.
        takes: its input.
        answers: its output.
    """

    def __init__(self, path: Path) -> None:
        self._network = OnnxNetwork(path)
        self._known: dict[bytes, NDArray[np.float32]] = {}
        self.path = path
        (self.takes,), (self.answers,) = self._network.signature.inputs, self._network.signature.outputs

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, classes) logits."""
        keys = [image.round(5).tobytes() for image in images]
        new = [place for place, key in enumerate(keys) if key not in self._known]
        if new:
            (logits,) = self._network.run({self.takes.name: images[new]}, [self.answers])
            self._known.update(zip((keys[place] for place in new), np.asarray(logits), strict=True))
        return np.stack([self._known[key] for key in keys])


class Caller(Network):
    """A network behind a convention.

    Args:
        inner: the network.
        convention: what stands before and behind it.
        seed: of answers that are random.

    Attributes:
        images: number of images that it was sent.
    """

    def __init__(self, inner: Inner, convention: Convention, seed: int) -> None:
        self.path = inner.path
        self._inner = inner
        self._convention = convention
        self._rng = np.random.default_rng(seed)
        self.images = 0
        shape = (None, *(convention.shape or (inner.takes.shape or ())[1:]))
        kind, form = convention.port or ("float32", (inner.answers.shape or ())[1:])
        port = Port(inner.takes.name, convention.dtype, shape)
        self.signature = Signature((port,), (Port(inner.answers.name, kind, (None, *form)),))

    def run(self, feeds: Mapping[str, NDArray[Any]], wanted: list[Port]) -> list[Raw]:
        """Its answers, by what the convention makes of images and logits."""
        (given,) = feeds.values()
        self.images += len(given)
        images = self._convention.taken(given.astype(np.float64)).astype(np.float32)
        return [self._convention.answered(self._inner(images), self._rng)]


def conventions(image: Shape, controls: Controls, num_classes: int) -> list[Convention]:
    """All conventions for images of shape ``image`` (C, H, W)."""
    found = [
        *_scales(image, controls),
        *_forms(image),
        *_answers(image, num_classes),
        *_rare(image),
        *_unknown(image),
        *_broken(num_classes),
    ]
    assert len({each.name for each in found}) == len(found)
    return found


def _unscaled(way: Interface, channels: int) -> Callable[[Numbers], Numbers]:
    """What undoes the scaling of ``way``."""
    low, high = way.range or (0, 1)

    def values(numbers: tuple[float, ...] | None, default: float) -> Numbers:
        numbers = numbers or (default,)
        return np.reshape(numbers if len(numbers) == channels else np.mean(numbers), (1, -1, 1, 1))

    mean, std = values(way.mean, 0), values(way.std, 1)
    return lambda given: (given * std + mean - low) / (high - low)


def _scales(image: Shape, controls: Controls) -> Iterator[Convention]:
    named = {
        "[0, 1]": PRESETS["unit"],
        "[-1, 1]": PRESETS["signed"],
        "[0, 255]": PRESETS["bytes"],
        "[-0.5, 0.5]": Interface(range=(-0.5, 0.5)),
        "[-128, 127]": Interface(range=(-128, 127)),
        "inverted": PRESETS["inverted"],
        "inverted, [-1, 1]": Interface(range=(1, -1)),
        "inverted, [0, 255]": Interface(range=(255, 0)),
        "ImageNet's mean and deviation": PRESETS["imagenet"],
        "the owner's mean and deviation": Interface(mean=controls.mean, std=controls.std),
    }
    grey, coloured = {"MNIST's": "mnist"}, {"CIFAR-10's": "cifar10", "CLIP's": "clip"}
    named |= {name: PRESETS[key] for name, key in (grey if image[0] == 1 else coloured).items()}
    for name, way in named.items():
        yield Convention(name, taken=_unscaled(way, image[0]), scale=True)
    if image[0] == 3:
        caffe = _unscaled(Interface(range=(0, 255), mean=(103.939, 116.779, 123.68)), 3)
        yield Convention("BGR with Caffe's means", taken=lambda given: caffe(given)[:, ::-1])


def _forms(image: Shape) -> Iterator[Convention]:
    """Layouts, types, sizes and colours, nearly all with ImageNet's mean and deviation."""
    channels, height, width = image
    scaled = _unscaled(PRESETS["imagenet"], channels)

    def last(given: Numbers) -> Numbers:
        return np.moveaxis(given, -1, 1)

    def own_size(given: Numbers) -> Numbers:
        if given.shape[1:] != image:
            raise ValueError(f"expected images of shape {image}, got {given.shape[1:]}")
        return given

    def shrunk(given: Numbers) -> Numbers:
        blocks = given.reshape(len(given), channels, height, 2, width, 2)
        return scaled(blocks.mean(axis=(3, 5)))

    yield Convention("channels last", shape=(height, width, channels), taken=lambda given: scaled(last(given)))
    yield Convention("flat", shape=(channels * height * width,), taken=lambda given: scaled(given.reshape(-1, *image)))
    yield Convention("any shape declared", shape=(None, None, None), taken=lambda given: scaled(own_size(given)))
    yield Convention("float16", dtype="float16", taken=scaled)
    yield Convention("bytes", dtype="uint8", taken=lambda given: given / 255)
    yield Convention(
        "bytes, channels last", dtype="uint8", shape=(height, width, channels), taken=lambda given: last(given) / 255
    )
    yield Convention("twice the size", shape=(channels, 2 * height, 2 * width), taken=shrunk)
    if channels == 1:
        colours = _unscaled(PRESETS["imagenet"], 3)
        yield Convention(
            "colours", shape=(3, height, width), taken=lambda given: np.tensordot(colours(given), LUMA, (1, 0))[:, None]
        )
    else:
        yield Convention("BGR, ImageNet's mean and deviation", taken=lambda given: scaled(given[:, ::-1])[:, ::-1])


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _answers(image: Shape, num_classes: int) -> Iterator[Convention]:
    """What is behind the network, with ImageNet's mean and deviation before it."""
    order = np.random.default_rng(0).permutation(num_classes)
    names = np.array([f"sort {letter}" for letter in "qwertyuiopasdfghjklzxcvbnm"[:num_classes]], object)
    behind: dict[str, tuple[Callable[[NDArray[np.float32], np.random.Generator], Raw], str, Dimensions]] = {
        "probabilities": (lambda logits, rng: _softmax(logits), "float32", (num_classes,)),
        "labels": (lambda logits, rng: logits.argmax(axis=1), "int64", ()),
        "labels from 1": (lambda logits, rng: logits.argmax(axis=1) + 1, "int64", ()),
        "another order of scores": (lambda logits, rng: logits[:, order], "float32", (num_classes,)),
        "another order of labels": (lambda logits, rng: order[logits.argmax(axis=1)], "int64", ()),
        "names that nobody stated": (lambda logits, rng: names[logits.argmax(axis=1)], "string", ()),
        "a background class": (
            lambda logits, rng: np.pad(logits, ((0, 0), (1, 0)), constant_values=-1e4),
            "float32",
            (num_classes + 1,),
        ),
    }
    for name, (answered, kind, form) in behind.items():
        yield Convention(name, answered=answered, port=(kind, form), taken=_unscaled(PRESETS["imagenet"], image[0]))


def _rare(image: Shape) -> Iterator[Convention]:
    usual = PRESETS["imagenet"]
    scales = {
        "[-2, 2]": Interface(mean=(0.5,), std=(0.25,)),
        "[0, 2]": Interface(range=(0, 2)),
        "[0, 127]": Interface(range=(0, 127)),
        "ImageNet's deviation alone": Interface(std=usual.std),
        "ImageNet's mean alone": Interface(mean=usual.mean),
        "means of bytes alone": Interface(range=(0, 255), mean=(123.68, 116.779, 103.939)),
        "inverted, ImageNet's mean and deviation": replace(usual, range=(1, 0)),
    }
    for name, way in scales.items():
        yield Convention(name, kind="rare", taken=_unscaled(way, image[0]), scale=True)


def _unknown(image: Shape) -> Iterator[Convention]:
    sixteenths = _unscaled(Interface(range=(0, 15)), image[0])
    yield Convention("[0, 15]", kind="unknown", taken=sixteenths, scale=True)

    def linear(given: Numbers) -> Numbers:
        return np.asarray(np.clip(given, 0, 1) ** (1 / 2.2))

    def stretched(given: Numbers) -> Numbers:
        low, high = (pick(axis=(1, 2, 3), keepdims=True) for pick in (given.min, given.max))
        return np.asarray((given - low) / np.maximum(high - low, 1e-6))

    yield Convention("linear light", kind="unknown", taken=linear, scale=True)
    yield Convention("its own contrast for each image", kind="unknown", taken=stretched)
    yield Convention("rows and columns swapped", kind="unknown", taken=lambda given: given.swapaxes(2, 3))
    yield Convention("upside down", kind="unknown", taken=lambda given: given[:, :, ::-1])


def _broken(num_classes: int) -> Iterator[Convention]:
    def some(share: float) -> Callable[[NDArray[np.float32], np.random.Generator], Raw]:
        def answered(logits: NDArray[np.float32], rng: np.random.Generator) -> Raw:
            guessed = rng.integers(num_classes, size=len(logits))
            return np.where(rng.random(len(logits)) < share, guessed, logits.argmax(axis=1))

        return answered

    merged = np.arange(num_classes) // 2
    kinds: dict[str, Callable[[NDArray[np.float32], np.random.Generator], Raw]] = {
        "guesses": some(1.0),
        "guesses half of the time": some(0.5),
        "guesses one time in five": some(0.2),
        "always one class": lambda logits, rng: np.zeros(len(logits), np.int64),
        "classes in pairs": lambda logits, rng: merged[logits.argmax(axis=1)],
    }
    for name, answered in kinds.items():
        yield Convention(name, kind="broken", answered=answered, port=("int64", ()))
