"""A network in a file that answers in its own terms, whatever runtime computes it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.errors import SuspectError
from nf.core.interface import Interface
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.suspects.answers import Answered, check_answers
from nf.suspects.forms import forms
from nf.suspects.interpret import Raw
from nf.suspects.prepare import prepare
from nf.suspects.probe import Found, all_ways, find
from nf.suspects.signature import Port, Signature

Images = NDArray[np.uint8]

_NUMBERS_AT_ONCE = 1 << 20  # what a network makes of them on the way takes a hundred times as much
_MOST_NUMBERS = 1 << 26
_NAMED = 3  # inputs that a message names
_SHOWN = 60  # characters of a name
_TRAINING = ("train", "learning_phase")
"""Parts of names of switches, of any type, that are on while a network learns: then it may well answer, but worse."""
_SWITCHES = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))


class Network(ABC):
    """A network in a file; a subclass says how it is loaded, in its ``__init__``, and how it is computed.

    Attributes:
        path: file that it came from.
        signature: what the file declares.
        batch_size: images that are sent at once; a file with a fixed batch gets batches of that size.
    """

    path: Path
    signature: Signature
    batch_size: int = 256

    @abstractmethod
    def run(self, feeds: Mapping[str, NDArray[Any]], wanted: list[Port]) -> list[Raw]:
        """The ``wanted`` outputs for inputs by name.

        Raises:
            Exception: the runtime's own; ``ask`` makes a ``SuspectError`` of it.
        """

    def ports(self, stated: Interface) -> list[Port]:
        """Inputs that may take the image: the one that is named, or those of numbers, of most dimensions first.

        Raises:
            SuspectError: there is none, or none of that name.
        """
        inputs = self.signature.inputs
        if stated.input_name is None and len(inputs) > 1 and all(map(_is_column, inputs)):
            raise SuspectError(
                f"{self.path}: expected one input that takes an image, got {len(inputs)} of one number each, as for "
                "the columns of a table: export it with one input of all pixels, in skl2onnx "
                f"`initial_types=[('x', FloatTensorType([None, {len(inputs)}]))]`"
            )
        if stated.input_name is not None:
            inputs = tuple(port for port in inputs if port.name == stated.input_name)
        usable = [port for port in inputs if forms(port, (1, 1, 1), Interface()) or port.shape]
        if not usable:
            given = ", ".join(map(str, self.signature.inputs))
            raise SuspectError(f"{self.path}: expected an input that takes images, got {given}")
        return sorted(usable, key=lambda port: -len(port.shape or (0,) * 4))

    def forms(self, image: tuple[int, int, int], stated: Interface) -> list[Interface]:
        """How images of shape ``image`` (C, H, W) can be put to it, as far as the file declares that.

        Raises:
            SuspectError: they cannot.
        """
        found = []
        for port in self.ports(stated):
            name = port.name if len(self.signature.inputs) > 1 else None
            found += [Interface(input_name=name).over(form) for form in forms(port, image, stated)]
        if not found:
            given = ", ".join(map(str, self.signature.inputs))
            raise SuspectError(f"{self.path}: expected an input that takes images {image} as stated, got {given}")
        return found

    def takes_any_size(self, form: Interface) -> bool:
        """Whether the file leaves the size of images open."""
        port = next(port for port in self.signature.inputs if form.input_name in (None, port.name))
        return form.layout in ("nchw", "nhwc", None) and (port.shape is None or list(port.shape).count(None) >= 2)

    def find(self, controls: Controls, num_classes: int, stated: Interface) -> Found:
        """How it wants to be asked, by its answers to ``controls``; see ``nf.suspects.probe.find``.

        Inputs that take no image are filled otherwise where that leads to no verdict.

        Raises:
            NoVerdictError: it answers too few of them rightly, however it is asked.
            SuspectError: they do not fit its input as ``stated``, or it fails on them.
        """
        channels, height, width = controls.images.shape[1:]
        failures: list[SuspectError] = []
        for fill in self._fills(stated):
            how = Interface(fill=fill).over(stated)
            forms = self.forms((channels, height, width), how)
            any_size = any(map(self.takes_any_size, forms))
            try:
                return find(self.ask, all_ways(forms, controls, how), controls, num_classes, how, any_size=any_size)
            except SuspectError as error:
                failures.append(error)
        raise type(failures[0])(f"{failures[0]}{self._told(stated)}") from None

    def _others(self, stated: Interface) -> list[Port]:
        """Inputs that take no image."""
        image = self.ports(stated)[0]
        return [port for port in self.signature.inputs if port != image]

    def _fills(self, stated: Interface) -> list[Literal[0, 1] | None]:
        """What these may get, the usual first."""
        usual = {_usual_fill(port) for port in self._others(stated)}
        if stated.fill is not None or None in usual:
            return [None]
        fills: tuple[Literal[0, 1], ...] = (1, 0)
        return [None, *(fill for fill in fills if usual and usual != {fill})]

    def _told(self, stated: Interface) -> str:
        """What these got."""
        told = []
        for port in self._others(stated)[:_NAMED]:
            first = _usual_fill(port) if stated.fill is None else stated.fill
            got = [first, *(fill for fill in self._fills(stated) if fill not in (None, first))]
            told.append(f"{printable(repr(port.name))[:_SHOWN]} of {port.dtype} got {', then '.join(map(str, got))}")
        return f"; its input {', '.join(told)}: export it with the image as its only input" if told else ""

    def ask(self, images: Images, how: Interface) -> dict[str, Raw]:
        """What each output answers to ``images`` (N, C, H, W), N >= 1, by its name; see ``nf.suspects.interpret``.

        Raises:
            SuspectError: the images do not fit the input, or the network fails on them.
        """
        port = next(port for port in self.signature.inputs if how.input_name in (None, port.name))
        wanted = self.outputs(how)
        fixed = port.shape[0] if how.batch is not False and port.shape else None
        size = 1 if how.batch is False else self._batch(images, how, fixed)
        batches: list[list[Raw]] = []
        sizes: list[int] = []
        for start in range(0, len(images), size):
            given = prepare(images[start : start + size], how)
            self._check_shape(port, given, how, images)
            if fixed:
                # With the last image again, as a network need not have an answer to a black one.
                given = np.concatenate([given, np.repeat(given[-1:], fixed - len(given), axis=0)])
            batches.append(self._answer(given[0] if how.batch is False else given, port, wanted, how.fill))
            sizes.append(len(given))
        found = {
            output.name: joined
            for output, answers in zip(wanted, zip(*batches, strict=True), strict=True)
            if (joined := _joined(answers, sizes, len(images), how.batch is False)) is not None
        }
        if wanted and not found:
            raise SuspectError(f"{self.path}: {_unlike(wanted, batches[0], sizes[0])}")
        return found

    def _batch(self, images: Images, how: Interface, fixed: int | None) -> int:
        """How many images are sent at once: as many as the file wants, or fewer of large images than of small ones.

        Raises:
            SuspectError: the file wants more than anybody needs.
        """
        numbers = prepare(images[:1], how).size
        if fixed is None:
            return min(self.batch_size, max(1, _NUMBERS_AT_ONCE // numbers))
        if fixed * numbers > _MOST_NUMBERS:
            raise SuspectError(f"{self.path}: expected batches of at most {_MOST_NUMBERS // numbers}, got {fixed}")
        return fixed

    def outputs(self, how: Interface) -> list[Port]:
        """Outputs that answer: the one that is named, or all.

        Raises:
            SuspectError: there is none of that name or number.
        """
        outputs = self.signature.outputs
        if how.output_name is None:
            return list(outputs)
        if isinstance(how.output_name, int):
            named = outputs[how.output_name : how.output_name + 1] if how.output_name >= 0 else ()
        else:
            named = tuple(port for port in outputs if port.name == how.output_name)
        if not named:
            names = ", ".join(printable(repr(port.name)) for port in outputs)
            raise SuspectError(f"{self.path}: expected one of the outputs {names}, got {how.output_name!r}")
        return list(named)

    def _check_shape(self, port: Port, given: NDArray[Any], how: Interface, images: Images) -> None:
        own = given.shape[1:]
        wanted = port.shape if how.batch is False or port.shape is None else port.shape[1:]
        if wanted is None or (
            len(wanted) == len(own) and all(want in (None, got) for want, got in zip(wanted, own, strict=True))
        ):
            return
        letters = "CHW" if len(wanted) == 3 else "?" * len(wanted)
        sizes = ", ".join(str(want or letter) for want, letter in zip(wanted, letters, strict=True))
        raise SuspectError(
            f"{self.path}: expected queries of shape (N, {sizes}), which the suspect takes, "
            f"got {images.dtype} {images.shape}"
        )

    def _answer(self, given: NDArray[Any], port: Port, wanted: list[Port], fill: int | None) -> list[Raw]:
        feeds = {port.name: given}
        for other in self.signature.inputs:
            if other.name != port.name:
                feeds[other.name] = self._filled(other, len(given), fill)
        try:
            return self.run(feeds, wanted)
        except Exception as error:  # runtimes' errors have no closer base
            raise SuspectError(f"{self.path}: the suspect cannot answer: {one_line(error)}") from error

    def _filled(self, other: Port, batch: int, fill: int | None) -> NDArray[Any]:
        """What an input that takes no image gets."""
        usual = _usual_fill(other)
        if usual is None:
            raise SuspectError(f"{self.path}: expected one input, or numbers for the others, got {other}")
        shape = [batch if place == 0 and size is None else size or 1 for place, size in enumerate(other.shape or ())]
        return np.full(shape, usual if fill is None else fill, other.dtype)


def _usual_fill(port: Port) -> int | None:
    """0 for switches, 1 for factors such as what dropout keeps; ``None`` for what holds no numbers."""
    if port.dtype in _SWITCHES:
        return 0
    if port.dtype not in ("float16", "float32", "float64"):
        return None
    return 0 if any(word in port.name.lower() for word in _TRAINING) else 1


def _is_column(port: Port) -> bool:
    """Whether an input takes one number of each image."""
    return port.shape is not None and len(port.shape) > 1 and all(size == 1 for size in port.shape[1:])


class NetworkSuspect:
    """A classifier in a file as a black box that is asked in one way; see ``nf.core.predictor.Predictor``.

    Args:
        network: the network.
        output: what its answers mean.
        interface: how it is asked, where the file's shapes leave that open; without, it takes images as they are, in
            [0, 1], and has one output.

    Raises:
        SuspectError: it has several outputs, and nobody says which one answers.
    """

    def __init__(self, network: Network, *, output: OutputKind = "logits", interface: Interface | None = None) -> None:
        self._network = network
        self._path = network.path
        self._output = output
        self._interface = interface or Interface()
        outputs = self._network.signature.outputs
        if len(outputs) > 1 and self._interface.output_name is None:
            names = ", ".join(printable(repr(port.name)) for port in outputs)
            raise SuspectError(
                f"{self._path}: expected one output, or which of them answers, got {len(outputs)}: {names}"
            )

    @property
    def output(self) -> OutputKind:
        """What an answer means."""
        return self._output

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Of an image, (C, H, W) for the most; ``None`` where any size will do."""
        return (self._network.ports(self._interface)[0].shape or (None,) * 4)[1:]

    @property
    def num_classes(self) -> int | None:
        """Number of classes, if the file states it of the output that answers."""
        answer = self._network.outputs(self._interface)[0].shape or ()
        return answer[1] if len(answer) == 2 else None

    def __call__(self, images: Images) -> Answered:
        """Answer ``images`` (N, C, H, W), N >= 1: (N, classes) float32 scores or (N,) int64 labels.

        Raises:
            SuspectError: the images do not fit the file's input, or the answers are not of the stated form.
        """
        if not (images.dtype == np.uint8 and images.ndim == 4 and len(images) > 0):
            sizes = (str(size or letter) for size, letter in zip(self.input_shape, "CHW", strict=False))
            raise SuspectError(
                f"{self._path}: expected queries of shape (N, {', '.join(sizes)}), which the suspect takes, "
                f"got {images.dtype} {images.shape}"
            )
        channels, height, width = images.shape[1:]
        form = self._network.forms((channels, height, width), self._interface)[0]
        # What the file's shapes say of size and colours is for those who look for a way to ask it.
        how = Interface.of(**{**form.stated(), "size": self._interface.size, "channels": self._interface.channels})
        (answers,) = self._network.ask(images, how).values() or ((),)
        if not isinstance(answers, np.ndarray):
            raise SuspectError(f"{self._path}: expected a tensor as answer, got something else")
        expected = self.num_classes
        if self.output != "labels" and answers.ndim == 2 and expected not in (None, answers.shape[1]):
            raise SuspectError(f"{self._path}: expected {expected} classes, got {answers.shape[1]}")
        try:
            return check_answers(answers, self.output, len(images))
        except SuspectError as error:
            raise SuspectError(f"{self._path}: {error}") from None


def _joined(answers: tuple[Any, ...], sizes: list[int], count: int, single: bool) -> Raw | None:
    """One output's answers to all batches together; ``None`` for what is no answer to each image.

    Args:
        answers: to each batch.
        sizes: number of images in each batch.
        count: number of images without what fills the last batch.
        single: whether images went out without a batch.

    Raises:
        SuspectError: the number of classes changed.
    """
    if all(isinstance(answer, np.ndarray) for answer in answers):
        # A network for one image answers without a batch, or with one of 1.
        arrays = [np.asarray(answer)[None] if single else np.asarray(answer) for answer in answers]
        if max(sizes) > 1 and all(array.shape[:2] == (1, size) for array, size in zip(arrays, sizes, strict=True)):
            arrays = [array[0] for array in arrays]  # (1, N, C)
        if any(array.shape[:1] != (size,) for array, size in zip(arrays, sizes, strict=True)):
            return None
        shapes = {array.shape[1:] for array in arrays}
        if len(shapes) > 1:
            first, other = (
                array.shape[-1] for array in (arrays[0], next(a for a in arrays if a.shape[1:] != arrays[0].shape[1:]))
            )
            raise SuspectError(f"expected {first} classes, got {other}")
        whole = np.concatenate(arrays)[:count]
        if whole.ndim > 2:  # (N, C, 1, 1), (N, 1, C): every dimension of one is another name for none
            whole = whole.reshape(count, *(size for size in whole.shape[1:] if size != 1))
        return cast(Raw, [str(name) for name in whole.ravel()]) if whole.dtype.kind == "O" else whole
    if all(isinstance(answer, list) for answer in answers):
        maps = [item for answer in answers for item in answer][:count]
        return maps if len(maps) == count and all(isinstance(item, dict) for item in maps) else None
    return None


def _unlike(wanted: list[Port], answers: list[Raw], size: int) -> str:
    """What outputs hold that have no answer for each image of a batch of ``size``, and what to do."""
    arrays = {port.name: answer for port, answer in zip(wanted, answers, strict=True) if isinstance(answer, np.ndarray)}
    came = [f"{printable(repr(name))[:_SHOWN]} of {raw.dtype} and shape {raw.shape}" for name, raw in arrays.items()]
    came += [f"{printable(repr(port.name))[:_SHOWN]}, which is no tensor" for port in wanted if port.name not in arrays]
    turned = any(raw.ndim > 1 and raw.shape[1] == size for raw in arrays.values())
    return (
        f"expected an output of shape ({size}, classes) for {size} images, got {', '.join(came)}; "
        f"export it {'transposed, ' if turned else ''}with an answer for each image along the first dimension"
    )


def one_line(error: Exception) -> str:
    """The end of a runtime's message, which begins with places in its source and quotes names from the file."""
    return printable(" ".join(str(error).split()))[-200:]
