"""What the answers to control images can mean: which output holds them, in which form, with which order of classes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nf.core.answers import Answers
from nf.core.controls import MIN_ACCURACY
from nf.core.errors import SuspectError
from nf.core.interface import NO_CLASS, Interface, plain_name
from nf.core.printing import printable
from nf.suspects.answers import look_like_probabilities
from nf.suspects.interpret import Raw, are_scored_labels, check_count, choose, interpret, is_one_score, whole

PER_CLASS = 4
"""Control images of each class without which an order of classes is not looked for."""

_SHOWN = 60  # characters of an output's name
_MOST_NUMBERS = 10_000  # of classes among which an order is looked for
_UNLIKELY = 1e-3  # a probability below counts as this, so that one image does not outweigh all others


class UnreadableError(SuspectError):
    """Raised when answers mean nothing that was looked for; the message says what came, and why it cannot be read."""


@dataclass(frozen=True)
class Reading:
    """One meaning of the answers to control images.

    Attributes:
        how: with output, kind and classes.
        right: images that were answered with their class.
        sureness: mean logarithm of the probability of the right class; 0 where there are no probabilities.
        answers: what they mean so.
    """

    how: Interface
    right: int
    sureness: float
    answers: Answers

    @property
    def rank(self) -> tuple[float, ...]:
        """Higher is better."""
        return (self.right, self.answers.probabilities is not None, self.sureness)


def read(
    raws: Mapping[str, Raw],
    how: Interface,
    labels: NDArray[np.int64],
    num_classes: int,
    names: tuple[str, ...] = (),
    *,
    reorder: bool = False,
) -> Iterator[Reading]:
    """What the answers to images that show ``labels`` can mean.

    Args:
        raws: raw answers of each output.
        how: the images were put; what it says of answers is taken as said.
        labels: what each image shows.
        num_classes: number of the owner's classes.
        names: names of the owner's classes.
        reorder: whether to look for the order of classes in the answers.

    Raises:
        UnreadableError: no output can be read in any of these ways; raised when the last has been tried.
        SuspectError: there are several outputs, and none that ``how`` names.
    """
    readable, reasons = False, dict[str, str]()
    if len(raws) > 1 and how.output_name is not None:
        raws = {str(how.output_name): choose(raws, how)}
    for output, raw in raws.items():
        try:
            check_count(raw, len(labels))
        except SuspectError as error:
            reasons[output] = str(error)
            continue
        named = how if len(raws) == 1 else Interface(output_name=output).over(how)
        for kind in _kinds(raw, how, num_classes, reorder=reorder):
            one = Interface.of(kind=kind).over(named)
            maps = (
                [_reordered(raw, one, labels, num_classes, names)] if reorder else _maps(raw, one, num_classes, names)
            )
            for meaning in filter(None, maps):
                try:
                    answers = interpret(raw, meaning, len(labels), num_classes)
                except SuspectError as error:
                    reasons.setdefault(output, str(error))
                    continue
                readable = True
                yield _reading(meaning, answers, labels)
    if not readable:
        came = [f"{printable(repr(output))[:_SHOWN]} of {_form(raw)}" for output, raw in raws.items()]
        why = [f" ({printable(reasons[output])})" if output in reasons else "" for output in raws]
        raise UnreadableError(", ".join(map("".join, zip(came, why, strict=True))) or "nothing for each image")


def _form(raw: Raw) -> str:
    if not isinstance(raw, np.ndarray):
        return "names" if len(raw) and isinstance(raw[0], str | bytes) else "classes with scores"
    return f"{raw.dtype} and shape ({', '.join(['N', *map(str, raw.shape[1:])])})"


def _reading(how: Interface, answers: Answers, labels: NDArray[np.int64]) -> Reading:
    sureness = 0.0
    if answers.probabilities is not None:
        of_right = answers.probabilities[np.arange(len(labels)), labels]
        sureness = float(np.log(np.clip(of_right, _UNLIKELY, 1)).mean())
    return Reading(how, int((answers.labels == labels).sum()), sureness, answers)


def _kinds(raw: Raw, how: Interface, num_classes: int, *, reorder: bool) -> list[str]:
    """What answers may be, the likeliest first; of distances no order of classes is looked for."""
    if how.kind is not None:
        return [how.kind]
    if not isinstance(raw, np.ndarray):
        return ["names"] if isinstance(raw[0], str | bytes) else ["top-k"]
    if raw.ndim == 1 or raw.shape[1:] == (1,):
        return ["labels", "probabilities", "logits"] if is_one_score(raw, num_classes) else ["labels"]
    if raw.ndim != 2:
        return []
    if raw.dtype.kind in "iu":
        return ["logits", "labels"]
    scores = np.nan_to_num(raw.astype(np.float64), posinf=2, neginf=2)
    if look_like_probabilities(scores):
        return ["probabilities"]
    ranked = ["labels"] if whole(raw).dtype.kind in "iu" or are_scored_labels(raw, num_classes) else []
    return ["logits", *([] if reorder else ["distances"]), *ranked]


def _maps(raw: Raw, how: Interface, num_classes: int, names: tuple[str, ...]) -> list[Interface]:
    """Usual numbers and names of classes: as the owner's, from 1 on, with a background before or others behind."""
    stated = how.offset is not None or how.classes is not None or how.labels is not None
    if stated:
        return [how]
    if isinstance(raw, np.ndarray) and how.kind != "labels" and is_one_score(raw, num_classes):
        return [Interface(classes=(label,)).over(how) for label in (1, 0)]
    found = [how, *(Interface(offset=offset).over(how) for offset in (0, 1))]
    if how.kind in ("names", "top-k") and names:
        found.append(Interface(labels=names).over(how))
    if (
        isinstance(raw, np.ndarray)
        and how.kind not in ("names", "top-k", "labels")
        and raw.shape[1:2] == (num_classes,)
    ):
        return [how]
    return found


def _reordered(
    raw: Raw, how: Interface, labels: NDArray[np.int64], num_classes: int, names: tuple[str, ...]
) -> Interface | None:
    """``how`` with the order of classes that the answers themselves show, each image judged by all the others.

    Where these are too few, with the order of the names as text, in which folders of numbers are often read.
    """
    stated = how.offset is not None or how.classes is not None or how.labels is not None
    if stated:
        return None
    if len(labels) < PER_CLASS * num_classes:
        order = tuple(sorted(range(len(names)), key=names.__getitem__))
        numbered = how.kind not in ("names", "top-k") and order != tuple(range(num_classes))
        return Interface(classes=order).over(how) if numbered and len(order) == num_classes else None
    if how.kind in ("names", "top-k"):
        if isinstance(raw, np.ndarray):
            return None
        said = [plain_name(str(_best(item))) for item in raw]
        symbols = sorted(set(said))
        numbers = np.array([symbols.index(name) for name in said])
        classes = fit_classes(numbers, labels, len(symbols), num_classes)
        if classes is None or NO_CLASS in _owners(classes, num_classes):
            return None
        return Interface(labels=tuple(symbols[place] for place in _owners(classes, num_classes))).over(how)
    if not isinstance(raw, np.ndarray):
        return None
    if how.kind == "labels":
        first = np.rint(raw.reshape(len(raw), -1)[:, 0].astype(np.float64))
        if not ((first >= 0) & (first < _MOST_NUMBERS)).all():
            return None
        numbers = first.astype(np.int64)
        count = int(numbers.max()) + 1
    elif raw.ndim != 2:
        return None
    else:
        numbers, count = raw.argmin(axis=1) if how.kind == "distances" else raw.argmax(axis=1), raw.shape[1]
        if not num_classes <= count <= _MOST_NUMBERS:
            return None
    fitted = fit_classes(numbers, labels, count, num_classes)
    return None if fitted is None else Interface(classes=fitted).over(how)


def _best(item: Any) -> Any:
    """The first of an answer's classes, or the one of the highest score."""
    if isinstance(item, str | bytes | int):
        return item
    pairs = list(item.items() if isinstance(item, Mapping) else item)
    return max(pairs, key=lambda pair: float(pair[1]))[0] if pairs else ""


def _owners(classes: tuple[int, ...], num_classes: int) -> list[int]:
    """For each of the owner's classes the place in ``classes``, or -1."""
    return [classes.index(label) if label in classes else NO_CLASS for label in range(num_classes)]


def fit_classes(
    numbers: NDArray[np.int64], labels: NDArray[np.int64], count: int, num_classes: int
) -> tuple[int, ...] | None:
    """The owner's class for each of ``count`` numbers, by how often they were answered to it; ``None`` without sense.

    Numbers and classes are paired from the most frequent pair down, so that each goes to one. What is left over at the
    end is paired if it is one of each. The pairs must also hold for images that had no part in them.
    """
    table = np.zeros((count, num_classes), np.int64)
    np.add.at(table, (numbers, labels), 1)
    # Each image by the others: its number must belong to its class without it.
    without = table[numbers].copy()
    without[np.arange(len(labels)), labels] -= 1
    known = without.max(axis=1) > 0
    if ((without.argmax(axis=1) == labels) & known).mean() < MIN_ACCURACY:
        return None
    classes = np.full(count, NO_CLASS)
    left = table.copy()
    while left.max() > 0:
        number, label = np.unravel_index(left.argmax(), left.shape)
        classes[number] = label
        left[number], left[:, label] = 0, 0
    free = sorted(set(range(num_classes)) - set(classes.tolist()))
    unused = np.flatnonzero(classes == NO_CLASS)
    if len(free) == 1 and len(unused) == 1:
        classes[unused[0]] = free[0]
    return tuple(classes.tolist())
