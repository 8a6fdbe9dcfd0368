"""Which columns of a table of answers hold what: labels, labels with their scores, or a score for each class."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.interface import Kind, plain_name
from nf.core.printing import printable
from nf.suspects.table import Table, read_number

_SCORE_WORDS = (
    "confidence conf score probability prob proba probs p percent percentage certainty likelihood logit "
    "logits konfidenz wahrscheinlichkeit sicherheit prozent confiance probabilité confianza probabilidad "
)
_LABEL_WORDS = (
    "label class classname name prediction predicted pred answer category guess top klasse kategorie "
    "antwort classe catégorie réponse étiquette clase categoría respuesta "
)
"""Words in headings: English, German, French, Spanish."""

_TRUTH = frozenset(("truth", "groundtruth", "target", "expected", "actual"))
"""Of what an image shows, which is not what the suspect says."""

_SCORES, _LABELS = frozenset(_SCORE_WORDS.split()), frozenset(_LABEL_WORDS.split())

_SCORED = ("logits", "probabilities", "distances")
_ROUNDING = 0.01  # how far rounding, to whole per cents at most, may take the sum of a line's probabilities
_NAMED = 5  # columns in a message


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what.

    Attributes:
        answers: (label, score) of each rank, the best first; the score is ``None`` where it was not written down.
        scores: those of one class each, where there are no ``answers``.
    """

    answers: tuple[tuple[int, int | None], ...] = ()
    scores: tuple[int, ...] = ()


def find_columns(path: Path, table: Table, mark: str, kind: Kind | None, names: Collection[str] = ()) -> Columns:
    """What the columns hold, by the header, by where there are numbers and names, and by what is stated.

    Args:
        path: for messages.
        table: as it was read.
        mark: decimal mark of the table.
        kind: what its answers are stated to be.
        names: plain names of classes, where they are known.

    Raises:
        SuspectError: the answers cannot be told from other columns.
    """
    places = _answering(table, names)
    scored = kind in _SCORED
    if len(places) == 1:
        return Columns(scores=tuple(places)) if scored else Columns(answers=((places[0], None),))
    numeric = {place: _is_numeric(table, place, mark) for place in places}
    named = [place for place in places if not numeric[place] and _has_names(table, place, names)]
    holding = [place for place in places if place in named or _has_numbers(table, place, mark)]
    labels, scores = _by_rank(table.header, sorted(places, key=lambda place: place not in named))
    alternate = not labels and _alternate(list(numeric.values()))
    if len(named) == 1 and not alternate:
        labels[min(labels, default=0)] = named[0]
    if not labels and len(scores) == 1 and len(places) == 2:  # whatever the other is called
        labels = {rank: place for rank in scores for place in places if place != scores[rank]}
    if labels and labels.keys() == scores.keys() and not (scored and len(labels) == len(places)):
        _check_agreed(path, table, labels, holding)
        return Columns(answers=tuple((labels[rank], scores[rank]) for rank in sorted(labels)))
    # As of `top 1` to `top 3`, which are too few for scores of all classes.
    ranked = not scores and sorted(labels) == list(range(1, len(labels) + 1)) and 1 < len(labels) < len(names)
    classes = [place for place in places if table.header and _is_class(table.header[place], names) and not ranked]
    if len(classes) > 1 and (scored or (kind is None and all(numeric[labels[rank]] for rank in labels if rank))):
        rest = [
            place for place in places if place not in (*classes, labels.get(0)) and _has_numbers(table, place, mark)
        ]
        return Columns(scores=_of_classes(path, table, mark, classes, rest))
    others = [place for place in places if place not in labels.values()]
    if scored and len(labels) == 1 and len(others) > 1 and all(numeric[place] for place in others):
        return Columns(scores=tuple(others))
    if labels and not (scored or (kind is None and len(labels) > 1 and not ranked and all(numeric.values()))):
        best = min(labels)
        _check_agreed(path, table, labels, holding)
        return Columns(answers=((labels[best], scores.get(best)),))
    if alternate:
        pairs = zip(places[::2], places[1::2], strict=True)
        return Columns(answers=tuple(pair[::-1] if numeric[pair[0]] else pair for pair in pairs))
    if not scored and (kind is not None or (len(places) == 2 and _is_whole(table, places, mark))):
        raise SuspectError(
            f"{path}: expected one column beside the image, with the label, or a header that says which it is, "
            f"got {len(places)}"
        )
    return Columns(scores=tuple(places))


def _answering(table: Table, names: Collection[str]) -> list[int]:
    """Columns but those of what the images show, where others hold answers."""
    places = range(len(next(iter(table.rows.values()))))
    if not table.header:
        return list(places)
    words = [set(_words(heading)) for heading in table.header]
    left = [
        place
        for place in places
        if _is_class(table.header[place], names)
        or not (words[place] & _TRUTH or ("true" in words[place] and len(words[place]) > 1))
    ]
    return left if any(not words[place] & _SCORES for place in left) else list(places)


def _check_agreed(path: Path, table: Table, labels: Mapping[int, int], holding: Collection[int]) -> None:
    """Refuse a table with two columns of best labels that differ: one of them may say what the images show.

    A number and a name, or numbers from 0 and from 1 on, agree if a class stands beside no two of the other column's.

    Args:
        path: for messages.
        table: as it was read.
        labels: the column that was taken for each rank.
        holding: columns with numbers or with names of classes.

    Raises:
        SuspectError: there are such.
    """
    best = min(labels)
    heads = [place for place in holding if best in _by_rank(table.header, [place])[0]]
    for place in [*heads, *([labels[1]] if best == 0 and 1 in labels else [])]:
        pairs = {(plain_name(row[labels[best]]), plain_name(row[place])) for row in table.rows.values()}
        if len({one for one, _ in pairs}) < len(pairs):
            found = " and ".join(repr(table.header[each]) for each in (labels[best], place))
            raise SuspectError(
                f"{path}: expected one column with the label, got {printable(found)}, which differ; leave out what the "
                "suspect did not answer"
            )


def _of_classes(path: Path, table: Table, mark: str, classes: list[int], rest: list[int]) -> tuple[int, ...]:
    """``classes``, which the header names, with those of the ``rest`` that are other classes."""
    both = sorted([*classes, *rest])
    cells = [[read_number(row[place], mark) for place in both] for row in table.rows.values()]
    numbers = np.array(cells, np.float64)
    alone = numbers[:, [both.index(place) for place in classes]]
    if not rest or any(add_up(alone, total) for total in (1, 100)):
        return tuple(classes)
    if any(add_up(numbers, total) for total in (1, 100)):
        return tuple(both)
    found = ", ".join(repr(table.header[place]) for place in rest[:_NAMED])
    raise SuspectError(
        f"{path}: expected numbers in columns that are headed by a class alone, got {printable(found)} beside them; "
        "leave out what is no score, and write probabilities if they are other classes"
    )


def _is_class(heading: str, names: Collection[str]) -> bool:
    """Whether it is the number of a class or one of the ``names`` that are known."""
    name = bare_name(heading)
    return name in names or (name.isdecimal() and len(name) < 10)


def _has_names(table: Table, place: int, names: Collection[str]) -> bool:
    """Whether most of a column's cells are ``names`` of classes."""
    cells = [plain_name(cells[place]) for cells in table.rows.values() if cells[place]]
    return 2 * sum(cell in names for cell in cells) > len(cells)


def add_up(scores: NDArray[np.float64], total: float) -> bool:
    """Whether the ``scores`` (N, classes) of each image are parts of ``total``, but for rounding."""
    off = np.abs(scores.sum(axis=1) - total).max()
    return bool(scores.shape[1] > 1 and scores.min() >= 0 and off <= _ROUNDING * total)


def _by_rank(header: Sequence[str], places: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
    """Columns with labels and with scores, by the number in their heading, or 0: those of ``top 2`` are second best.

    Of several with one rank it is the first of ``places``.
    """
    labels: dict[int, int] = {}
    scores: dict[int, int] = {}
    for place in places if header else ():
        words = _words(header[place])
        numbers = [int(word) for word in words if word.isdecimal() and len(word) < 10]
        if len(numbers) < 2 and words:
            rank = numbers[0] if numbers else 0
            if _SCORES.intersection(words):
                scores.setdefault(rank, place)
            elif _LABELS.intersection(words):
                labels.setdefault(rank, place)
    return labels, scores


def _words(name: str) -> list[str]:
    return re.findall(r"[0-9]+|[^\W\d_]+", plain_name(name))


def bare_name(name: str) -> str:
    """The name of a class without words such as in ``p_3`` and ``score cat``."""
    words = [word for word in re.split(r"[\s_.:()-]+|(?<=[a-z])(?=[0-9])", plain_name(name)) if word]
    left = [word for word in words if word not in _SCORES | _LABELS]
    if len(left) == len(words) or not left:
        return plain_name(name)
    return str(int(left[0])) if len(left) == 1 and left[0].isdecimal() else " ".join(left)


def _is_numeric(table: Table, place: int, mark: str) -> bool:
    return all(not cells[place] or read_number(cells[place], mark) is not None for cells in table.rows.values())


def _has_numbers(table: Table, place: int, mark: str) -> bool:
    """Whether a column has numbers alone, and not empty cells alone."""
    return _is_numeric(table, place, mark) and any(cells[place] for cells in table.rows.values())


def _is_whole(table: Table, places: Sequence[int], mark: str) -> bool:
    """Whether one of two columns has whole numbers, as of classes, and the other has not."""
    whole = [
        all((read_number(cells[place], mark) or 0.0).is_integer() for cells in table.rows.values()) for place in places
    ]
    return whole[0] != whole[1]


def _alternate(numeric: Sequence[bool]) -> bool:
    """Whether columns with and without numbers take turns, in pairs."""
    pairs = list(zip(numeric[::2], numeric[1::2], strict=False))
    return len(numeric) % 2 == 0 and len(set(pairs)) == 1 and pairs[0][0] != pairs[0][1]
