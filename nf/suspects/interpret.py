"""A suspect's answers on their way out: which of the owner's classes they mean."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nf.core.answers import Answers
from nf.core.errors import SuspectError
from nf.core.interface import NO_CLASS, Interface, plain_name, shown
from nf.suspects.answers import check_answers, look_like_probabilities

Raw = NDArray[Any] | Sequence[Any]
"""What a suspect answered to N images: an array, or for each image a name, {class: score} or [(class, score)]."""

_SHOWN = 60  # characters of a name
_MOST_CLASSES = 1 << 31
_NUMBER = re.compile(r"([0-9]{1,9})(?:\.0*)?")  # of a class, also where a float was written


def choose(raws: Mapping[str, Raw], how: Interface) -> Raw:
    """The output that ``how`` names, or the only one.

    Raises:
        SuspectError: there is no such, or there are several.
    """
    names = list(raws)
    wanted = how.output_name
    if wanted is None and len(names) == 1:
        return raws[names[0]]
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return raws[names[wanted]]
    if isinstance(wanted, str) and wanted in raws:
        return raws[wanted]
    if wanted is None:
        raise SuspectError(f"expected one output, got {', '.join(map(repr, names[:9])) or 'none'}; name one of them")
    raise SuspectError(f"expected the output {wanted!r}, got {', '.join(map(repr, names[:9]))}")


def check_count(raw: Raw, count: int) -> None:
    """Refuse answers that are not one for each of ``count`` images.

    Raises:
        SuspectError: there are more or fewer, or they hold no numbers.
    """
    if isinstance(raw, np.ndarray):
        if raw.shape[:1] != (count,) or not raw.size:
            raise SuspectError(f"expected answers to {count} images, got {raw.dtype} of shape {raw.shape}")
    elif len(raw) != count:
        raise SuspectError(f"expected answers to {count} images, got {len(raw)}")


def interpret(raw: Raw, how: Interface, count: int, num_classes: int | None = None) -> Answers:
    """What a suspect's ``raw`` answers to ``count`` images say of the owner's classes.

    Args:
        raw: the answers of one output.
        how: ``kind`` is logits where it is not stated.
        count: number of images that were asked.
        num_classes: how many classes the owner has, where that is known.

    Returns:
        Labels of the owner's classes, ``NO_CLASS`` for others; probabilities where there is a score for each class.

    Raises:
        SuspectError: the answers have another form than stated, or a class that ``how`` does not map.
    """
    kind = how.kind or "logits"
    check_count(raw, count)
    if kind in ("names", "top-k"):
        if isinstance(raw, np.ndarray) and (kind == "top-k" or raw.ndim > 1):
            raise SuspectError(f"expected {kind}, got {raw.dtype} of shape {raw.shape}")
        if kind == "names":
            return Answers(np.array([_class_of(name, how, num_classes) for name in raw], np.int64))
        return _ranked(raw, how, num_classes)
    if not isinstance(raw, np.ndarray):
        raise SuspectError(f"expected {kind} as numbers, got {type(raw).__name__}")
    if kind == "labels":
        labels = whole(_squeezed(raw[:, 0] if are_scored_labels(raw, num_classes) else raw, 1))
        if labels.dtype.kind in "iu" and labels.ndim == 2:  # top-k, the best first
            labels = labels[:, 0]
        unsure = labels == NO_CLASS
        labels = check_answers(np.where(unsure, 0, labels) if labels.dtype.kind == "i" else labels, "labels", count)
        mapped = np.array([_mapped(int(label), how, num_classes) for label in labels], np.int64)
        return Answers(np.where(unsure, NO_CLASS, mapped))
    if raw.dtype.kind in "biu" and raw.ndim > 1:  # of a network that computes with integers
        raw = raw.astype(np.float32)
    scores, how = _both(_squeezed(raw, 2), how, num_classes)
    if kind == "logits":
        scores = _finite(scores)
    scores = check_answers(scores, "probabilities" if kind == "probabilities" else "logits", count)
    return _scored(scores.astype(np.float32) * (-1 if kind == "distances" else 1), how, num_classes)


def _finite(logits: NDArray[Any]) -> NDArray[Any]:
    """With the least number in the place of minus infinity, as masked classes have it beside others with numbers."""
    if logits.dtype.kind != "f" or logits.ndim != 2:
        return logits
    masked = np.isneginf(logits) & np.isfinite(logits).any(axis=1, keepdims=True)
    return np.where(masked, np.finfo(np.float32).min, logits)


def _squeezed(raw: NDArray[Any], dimensions: int) -> NDArray[Any]:
    """Without the dimensions of size 1 behind the first ``dimensions``, as in (N, C, 1, 1)."""
    shape = raw.shape
    while len(shape) > dimensions and shape[-1] == 1:
        shape = shape[:-1]
    return cast(NDArray[Any], raw.reshape(shape))


def is_one_score(raw: NDArray[Any], num_classes: int | None) -> bool:
    """Whether answers are a float for each image, (N,) or (N, 1), which of two classes may be the score of one."""
    return num_classes == 2 and raw.dtype.kind == "f" and (raw.ndim == 1 or raw.shape[1:] == (1,))


def are_scored_labels(raw: NDArray[Any], num_classes: int | None) -> bool:
    """Whether answers are floats (N, 2) of a label and its probability; beside those of two classes nobody can tell."""
    if num_classes in (None, 2) or raw.dtype.kind != "f" or raw.shape[1:] != (2,):
        return False
    return whole(raw[:, 0]).dtype.kind == "i" and bool(((raw[:, 1] >= 0) & (raw[:, 1] <= 1)).all())


def _both(scores: NDArray[Any], how: Interface, num_classes: int | None) -> tuple[NDArray[Any], Interface]:
    """``scores`` of two classes, and ``how`` to read them, where there is one of them alone: the second's if not said.

    The other class has what is left of the probability, or the score 0.
    """
    label = 1 if how.classes is None else how.one_of(2)
    if label is None or not is_one_score(scores, num_classes):
        return scores, how
    known = scores.reshape(-1, 1)
    other = 1 - known if how.kind == "probabilities" else np.zeros_like(known)
    return np.hstack([other, known]), replace(how, classes=(1 - label, label), offset=None)


def whole(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels that came as floats as integers, where they are whole."""
    if labels.dtype.kind == "f" and np.isfinite(labels).all():
        rounded = np.rint(labels)
        if (rounded == labels).all() and np.abs(labels).max(initial=0) < _MOST_CLASSES:
            return np.asarray(rounded, np.int64)
    return labels


def _scored(scores: NDArray[np.float32], how: Interface, num_classes: int | None) -> Answers:
    """The most likely class may be none of the owner's; probabilities are of the owner's classes alone."""
    count = scores.shape[1]
    if how.classes is not None and len(how.classes) != count:
        raise SuspectError(f"expected scores of {len(how.classes)} classes, as the map of classes has, got {count}")
    if how.classes is None and how.offset is None and num_classes not in (None, count):
        raise SuspectError(f"expected {num_classes} classes, as the source model has, got {count}")
    classes = np.array([_mapped(index, how, num_classes) for index in range(count)])
    wanted = num_classes if num_classes is not None else int(classes.max()) + 1
    missing = sorted(set(range(wanted)) - set(classes.tolist()))
    if missing:
        raise SuspectError(f"expected a score for each of {wanted} classes, got {count} without class {missing[0]}")
    known = classes != NO_CLASS
    if not known.all() and look_like_probabilities(scores[:, known]):  # what stands beside them is no class's
        scores, classes, known = scores[:, known], classes[known], known[known]
        how = replace(how, kind="probabilities")
    given = Answers.of(scores, "probabilities" if how.kind == "probabilities" else "logits")
    probabilities = np.zeros((len(scores), wanted), np.float32)
    probabilities[:, classes[known]] = given.as_probabilities(scores.shape[1])[:, known]
    return Answers(classes[given.labels], probabilities)


def _ranked(raw: Raw, how: Interface, num_classes: int | None) -> Answers:
    """Answers as pairs of class and score: the best class, and probabilities where every answer has all classes."""
    labels = np.full(len(raw), NO_CLASS, np.int64)
    rows: list[dict[int, float]] = []
    for index, answer in enumerate(raw):
        try:
            pairs = list(answer.items()) if isinstance(answer, Mapping) else list(answer)
            scores = [(name, float(score)) for name, score in pairs]
        except (TypeError, ValueError, OverflowError):
            raise SuspectError(f"expected pairs of class and score, got {shown(answer)}") from None
        if not all(math.isfinite(score) for _, score in scores):
            raise SuspectError(f"expected finite scores, got {shown(answer)}")
        known = [(_class_of(name, how, num_classes), score) for name, score in scores]
        if known:  # none at all is an answer, too: nothing was recognised
            labels[index] = max(known, key=lambda pair: pair[1])[0]
        rows.append({label: score for label, score in known if label != NO_CLASS})
    wanted = num_classes or 0
    if not wanted or any(len(row) < wanted for row in rows):
        return Answers(labels)
    probabilities = np.array([[row[label] for label in range(wanted)] for row in rows])
    if (labels == NO_CLASS).any() and look_like_probabilities(probabilities):  # what stands beside them is no class's
        labels = probabilities.argmax(axis=1)
    within = probabilities.min() >= 0 and probabilities.max() <= 1
    return Answers(labels, probabilities.astype(np.float32) if within else None)


def _class_of(name: Any, how: Interface, num_classes: int | None) -> int:
    """The owner's class that the suspect calls ``name``."""
    if isinstance(name, bytes):
        name = name.decode(errors="replace")
    if isinstance(name, str):
        plain = plain_name(name)
        if how.labels is not None:
            known = {plain_name(label): index for index, label in enumerate(how.labels)}
            return known.get(plain, NO_CLASS)
        written = _NUMBER.fullmatch(plain)
        if written is None:
            raise SuspectError(
                f"expected numbers of classes, got the name {name[:_SHOWN]!r}; say with labels which names there are"
            )
        return _mapped(int(written[1]), how, num_classes)
    try:
        number = int(name)
    except (TypeError, ValueError, OverflowError):
        raise SuspectError(f"expected the number or name of a class, got {shown(name)}") from None
    if number != name:
        raise SuspectError(f"expected numbers of classes, got the fraction {shown(name)}")
    if abs(number) >= _MOST_CLASSES:
        raise SuspectError(f"expected numbers of classes, got {shown(number)}")
    return _mapped(number, how, num_classes)


def _mapped(number: int, how: Interface, num_classes: int | None) -> int:
    """The owner's class for the suspect's ``number``.

    A number before ``offset`` is an extra class, such as a background; one behind all the owner's classes is, too,
    where an offset or a map says that the suspect counts otherwise.
    """
    if how.classes is not None:
        return how.classes[number] if 0 <= number < len(how.classes) else NO_CLASS
    label = number - (how.offset or 0)
    if num_classes is None or 0 <= label < num_classes:
        return max(label, NO_CLASS)
    if how.offset is not None:
        return NO_CLASS
    raise SuspectError(f"expected labels from 0 to {num_classes - 1}, got {number}; the first class is 0")
