"""How a classifier is asked: what becomes of an image on the way in, and what an answer means on the way out.

One description for every kind of suspect. What is ``None`` in it has not been stated: a file or server may declare it,
control images may find it (``nf.suspects.probe``), and otherwise it is what this project's own models take.
"""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

import yaml

from nf.core.errors import ConfigError
from nf.core.predictor import OutputKind
from nf.core.sections import parse_section

Layout = Literal["nchw", "nhwc", "nhw", "flat", "flat-hwc"]
Channels = Literal["grey", "rgb", "bgr"]
Number = Literal["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64"]
Resize = Literal["bilinear", "bicubic", "nearest", "box", "lanczos"]
Kind = Literal["logits", "probabilities", "distances", "labels", "names", "top-k"]

NO_CLASS = -1
"""The label of an answer that is none of the owner's classes."""

MAX_SIZE = 4096
_SHOWN = 60  # characters of a word that was not understood
_MAX_SPECIFICATION_BYTES = 1 << 20


@dataclass(frozen=True)
class Interface:
    """How one classifier is asked.

    Attributes:
        size: (height, width) in pixels of its images; the images' own if ``None``.
        resize: filter that brings images to ``size``.
        crop: share of the resized image's sides that is kept, in the middle: 0.875 resizes to 256 and crops 224.
        layout: order of the dimensions; ``flat`` has one number after the other in the order of ``nchw``.
        batch: whether a first dimension counts images; without, it gets one image at a time.
        channels: channels of its images and their order; the images' own if ``None``.
        dtype: numpy's name of its numbers.
        range: what black and white become.
        mean: subtracted then, one number or one for each channel in the suspect's order, in units of ``range``.
        std: what they are divided by then, one number or one for each channel in the suspect's order.
        input_name: name, of several inputs, of the one that takes the image.
        fill: what inputs get that take no image; where nobody says, 0 if they are of whole numbers, and otherwise 1.
        output_name: name, of several outputs, of the one that answers, or its number from 0 on.
        kind: what it answers with; ``distances`` are scores of which the lowest is the best, ``names`` are of classes,
            ``top-k`` pairs of class and score.
        labels: the suspect's names of the owner's classes, in the owner's order.
        offset: the suspect's number of the owner's first class.
        classes: the owner's class for each of the suspect's, -1 for those that the owner does not have; in the place of
            ``offset``. One alone, of the owner's two, is that whose score or probability is the only output.
    """

    size: tuple[int, ...] | None = None
    resize: Resize | None = None
    crop: float | None = None
    layout: Layout | None = None
    batch: bool | None = None
    channels: Channels | None = None
    dtype: Number | None = None
    range: tuple[float, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_name: str | None = None
    fill: Literal[0, 1] | None = None
    output_name: str | int | None = None
    kind: Kind | None = None
    labels: tuple[str, ...] | None = None
    offset: int | None = None
    classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not (len(self.size) == 2 and all(1 <= side <= MAX_SIZE for side in self.size)):
            raise ValueError(f"size: expected height and width from 1 to {MAX_SIZE} pixels, got {shown(self.size)}")
        if self.crop is not None and not 0 < self.crop <= 1:
            raise ValueError(f"crop: expected a share above 0 and up to 1, got {self.crop:g}")
        if self.range is not None and not (
            len(self.range) == 2 and all(map(math.isfinite, self.range)) and self.range[0] != self.range[1]
        ):
            raise ValueError(f"range: expected two different numbers, for black and white, got {shown(self.range)}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and not (len(values) in (1, 3) and all(map(math.isfinite, values))):
                raise ValueError(f"{name}: expected one number or three, got {shown(values)}")
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"std: expected numbers above 0, got {shown(self.std)}")
        if self.labels is not None:
            known = [plain_name(label) for label in self.labels]
            if not known or "" in known or len(set(known)) < len(known):
                raise ValueError("labels: expected a name for each class, each once, whatever its case")
        if self.offset is not None and self.classes is not None:
            raise ValueError("classes: expected either these or an offset, got both")
        if self.classes is not None:
            own = [label for label in self.classes if label != NO_CLASS]
            if not own or min(own) < 0 or len(set(own)) < len(own):
                raise ValueError(
                    f"classes: expected each of the owner's classes once, or -1, got {shown(self.classes)}"
                )

    @classmethod
    def of(cls, **stated: Any) -> "Interface":
        """An interface of fields whose types are known elsewhere."""
        return cls(**stated)

    def over(self, other: "Interface") -> "Interface":
        """What is stated here, and for the rest what ``other`` says."""
        stated = self.stated()
        kept = {name: value for name, value in other.stated().items() if name not in stated}
        if "offset" in stated or "classes" in stated:
            kept = {name: value for name, value in kept.items() if name not in ("offset", "classes")}
        return Interface(**{**kept, **stated})

    def stated(self) -> dict[str, Any]:
        """The fields that are not ``None``, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def channels_taken(self, given: int) -> int:
        """Number of channels of its images, 1 or 3, where those that are ``given`` have so many."""
        return given if self.channels is None else 1 if self.channels == "grey" else 3

    def outputs_for(self, classes: int) -> int:
        """Number of its classes, as far as is stated, where the owner has so many ``classes``."""
        return len(self.classes) if self.classes is not None else (self.offset or 0) + classes

    def one_of(self, classes: int) -> int | None:
        """The class whose score is all that it answers with, where the owner has two ``classes``; else ``None``."""
        return self.classes[0] if classes == 2 and self.classes is not None and len(self.classes) == 1 else None

    def to_json(self) -> dict[str, Any]:
        """``stated`` with lists for tuples, which ``parse_section`` takes again."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.stated().items()}

    def __str__(self) -> str:
        """In a line, in the words of ``parse_input`` where it has some."""
        words = [str(value) for value in (self.layout, self.dtype, self.channels) if value is not None]
        if self.batch is False:
            words.append("single")
        if self.size is not None:
            words.append("x".join(map(str, self.size)))
        words += [str(value) for value in (self.resize,) if value is not None]
        words += [f"{name}={shown(value)}" for name, value in self.stated().items() if name in _NUMBERS]
        rest = ("input_name", "fill", "output_name", "kind", "offset")
        words += [f"{name}={value}" for name, value in self.stated().items() if name in rest]
        if self.classes is not None:
            words.append(f"classes={'/'.join(map(str, self.classes[:_SHOWN]))}")
        return ",".join(words) or "as this project's models"


_NUMBERS = ("crop", "range", "mean", "std")

NOTHING_STATED = Interface()

PRESETS: dict[str, Interface] = {
    "unit": Interface(range=(0, 1), mean=(0.0,), std=(1.0,)),
    "signed": Interface(range=(-1, 1), mean=(0.0,), std=(1.0,)),
    "bytes": Interface(range=(0, 255), mean=(0.0,), std=(1.0,)),
    "inverted": Interface(range=(1, 0), mean=(0.0,), std=(1.0,)),
    "imagenet": Interface(range=(0, 1), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "clip": Interface(range=(0, 1), mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)),
    "caffe": Interface(channels="bgr", range=(0, 255), mean=(103.939, 116.779, 123.68), std=(1.0,)),
    "mnist": Interface(range=(0, 1), mean=(0.1307,), std=(0.3081,)),
    "cifar10": Interface(range=(0, 1), mean=(0.4914, 0.4822, 0.4465), std=(0.247, 0.2435, 0.2616)),
}
"""Ways of scaling pixels that have a name."""

_ALIASES: dict[str, Interface] = {
    "chw": Interface(layout="nchw", batch=False),
    "hwc": Interface(layout="nhwc", batch=False),
    "hw": Interface(layout="nhw", batch=False),
    "single": Interface(batch=False),
    "gray": Interface(channels="grey"),
    "0..1": PRESETS["unit"],
    "-1..1": PRESETS["signed"],
    "0..255": PRESETS["bytes"],
}


def parse_input(text: str) -> Interface:
    """The written form: words in any order with commas between, as in ``nhwc,uint8,imagenet`` or ``bgr,range=0/255``.

    Words are layouts (``nchw``, ``nhwc``, ``nhw``, ``flat``, ``flat-hwc``; without ``n``, or with ``single``, there is
    no dimension for the batch), channels (``grey``, ``rgb``, ``bgr``), types (``uint8``, ``float16``, ...), keys of
    ``PRESETS``, sizes (``224`` or ``240x320``), filters (``bilinear``, ...), and ``range``, ``mean``, ``std`` and
    ``crop`` with numbers between slashes.

    Raises:
        ConfigError: a word is none of these, or contradicts another.
    """
    stated: dict[str, Any] = {}
    for word in filter(None, (word.strip() for word in text.lower().split(","))):
        for name, value in _word(word).stated().items():
            if stated.setdefault(name, value) != value:
                raise ConfigError(f"input: expected one {name}, got {shown(stated[name])} and {shown(value)}")
    return Interface(**stated)


def _word(word: str) -> Interface:
    known = {**PRESETS, **_ALIASES}
    if word in known:
        return known[word]
    for name, values in (("layout", Layout), ("channels", Channels), ("dtype", Number), ("resize", Resize)):
        if word in get_args(values):
            return Interface.of(**{name: word})
    name, _, written = word.partition("=")
    try:
        if name in _NUMBERS and written:
            numbers = tuple(float(number) for number in written.split("/"))
            value = numbers[0] if name == "crop" and len(numbers) == 1 else numbers
            return Interface.of(**{name: value})
        return Interface(size=parse_size(word))
    except (ConfigError, TypeError):
        raise ConfigError(
            f"input: expected words such as nhwc, uint8, grey, bgr, {', '.join(PRESETS)}, 224 or mean=0.5, "
            f"got {word[:_SHOWN]!r}"
        ) from None
    except ValueError as error:
        raise ConfigError(f"input: {error}, got {word[:_SHOWN]!r}") from None


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) from ``224`` or ``240x320``.

    Raises:
        ConfigError: it is neither, or a side is not from 1 to ``MAX_SIZE``.
    """
    sides = text.lower().split("x")
    if not (1 <= len(sides) <= 2 and all(side.isascii() and side.isdigit() and len(side) <= 4 for side in sides)):
        raise ConfigError(f"size: expected pixels as in 224 or 240x320, got {text[:_SHOWN]!r}")
    height, width = int(sides[0]), int(sides[-1])
    if not (1 <= height <= MAX_SIZE and 1 <= width <= MAX_SIZE):
        raise ConfigError(f"size: expected 1 to {MAX_SIZE} pixels, got {text}")
    return height, width


def read_labels(path: Path) -> tuple[str, ...]:
    """The suspect's names of the owner's classes from a text file, a line each in the owner's order.

    Raises:
        ConfigError: the file cannot be read, or has no lines.
    """
    names = tuple(line.strip() for line in _read_text(path, "names of classes").splitlines())
    while names and not names[-1]:
        names = names[:-1]
    if not names:
        raise ConfigError(f"{path}: expected names of classes, a line each, got none")
    return names


def read_interface(path: Path) -> Interface:
    """An interface from a YAML file; errors as ``parse_interface``, or it cannot be read."""
    try:
        document = yaml.safe_load(_read_text(path, "an interface"))
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())[:200]}") from error
    return parse_interface(document, str(path), path.parent)


def parse_interface(section: Mapping[str, Any] | None, where: str, folder: Path) -> Interface:
    """An interface from a section of YAML: fields of ``Interface``, and the written form under ``input``.

    Args:
        section: ``size`` may be one number, ``range``, ``mean`` and ``std`` too, ``labels`` a file's name.
        where: for messages.
        folder: folder that ``labels`` is relative to.

    Raises:
        ConfigError: a key is not known, or a value is not usable.
    """
    if section is not None and not isinstance(section, Mapping):
        raise ConfigError(f"{where}: expected a mapping, got {shown(section)}")
    values = {str(key): value for key, value in (section or {}).items()}
    written = values.pop("input", None)
    if written is not None and not isinstance(written, str):
        raise ConfigError(f"{where}.input: expected words with commas between, got {shown(written)}")
    if isinstance(values.get("size"), int | str):
        values["size"] = parse_size(str(values["size"]))
    for name in ("mean", "std"):
        if isinstance(values.get(name), int | float):
            values[name] = [values[name]]
    if isinstance(values.get("labels"), str):
        values["labels"] = read_labels(folder / values["labels"])
    if isinstance(values.get("labels"), list | tuple):
        values["labels"] = [str(label) for label in values["labels"]]  # YAML reads a bare 3 or no as no text
    if not isinstance(values.get("output_name"), str | int | None) or isinstance(values.get("output_name"), bool):
        raise ConfigError(f"{where}.output_name: expected a name or a number, got {shown(values['output_name'])}")
    explicit = parse_section(Interface, values, where)
    return explicit.over(parse_input(written)) if written else explicit


def state_interface(
    *,
    words: str | None = None,
    size: str | None = None,
    labels: Path | None = None,
    file: Path | None = None,
    kind: Kind | None = None,
) -> Interface:
    """What somebody states of a suspect in several places: the written form, then ``size``, over what a file says.

    Raises:
        ConfigError: one of them is not usable.
    """
    stated = Interface(
        size=parse_size(size) if size else None, labels=read_labels(labels) if labels else None, kind=kind
    )
    for more in (parse_input(words) if words else Interface(), read_interface(file) if file else Interface()):
        stated = stated.over(more)
    return stated


def plain_name(name: str) -> str:
    """``name`` without what does not tell names apart: case, forms of Unicode, white space around and between words."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def output_of(stated: Interface) -> OutputKind:
    """What a suspect that is asked in one way alone answers with: logits where nothing is stated."""
    if stated.kind is None or stated.kind == "distances":  # whose sign is turned where they are read
        return "logits"
    return "labels" if stated.kind in ("names", "top-k") else cast(OutputKind, stated.kind)


def _read_text(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SPECIFICATION_BYTES + 1)
        if len(data) > _MAX_SPECIFICATION_BYTES:
            raise ConfigError(f"{path}: expected {what} in at most {_MAX_SPECIFICATION_BYTES:,} bytes, got more")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: expected {what}, cannot read it: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected {what} as UTF-8 text: {error}") from error


def shown(value: object) -> str:
    """A short form of ``value`` for messages."""
    text = (
        "/".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
        if isinstance(value, tuple)
        else repr(value)
    )
    return text[:_SHOWN]
