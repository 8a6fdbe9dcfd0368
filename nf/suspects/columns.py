"""Which columns of a table of answers hold what: labels, labels with their scores, or a score for each class."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nf.core.errors import SuspectError
from nf.core.interface import Kind, plain_name
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

_SCORES, _LABELS = frozenset(_SCORE_WORDS.split()), frozenset(_LABEL_WORDS.split())

_SCORED = ("logits", "probabilities")


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what.

    Attributes:
        answers: (label, score) of each rank, the best first; the score is ``None`` where it was not written down.
        scores: those of one class each, where there are no ``answers``.
    """

    answers: tuple[tuple[int, int | None], ...] = ()
    scores: tuple[int, ...] = ()


def find_columns(path: Path, table: Table, mark: str, kind: Kind | None) -> Columns:
    """What the columns hold, by the header, by where there are numbers, and by what is stated."""
    width = len(next(iter(table.rows.values())))
    scored = kind in _SCORED
    if width == 1:
        return Columns(scores=(0,)) if scored else Columns(answers=((0, None),))
    numeric = [_is_numeric(table, place, mark) for place in range(width)]
    labels, scores = _by_rank(table.header)
    if not labels and len(scores) == 1 and width == 2:  # whatever the other is called
        labels = dict.fromkeys(scores, 1 - next(iter(scores.values())))
    if labels and labels.keys() == scores.keys() and not (scored and len(labels) == width):
        return Columns(answers=tuple((labels[rank], scores[rank]) for rank in sorted(labels)))
    others = [place for place in range(width) if place not in labels.values()]
    if len(labels) == 1 and len(others) > 1 and all(numeric[place] for place in others) and (scored or kind is None):
        return Columns(scores=tuple(others))
    if labels and not (scored or (kind is None and len(labels) > 1 and all(numeric))):
        best = min(labels)
        return Columns(answers=((labels[best], scores.get(best)),))
    if not labels and _alternate(numeric):
        text = (place for place in range(width) if not numeric[place])
        return Columns(answers=tuple((place, place - 1 if numeric[0] else place + 1) for place in text))
    if not scored and (kind is not None or (width == 2 and _is_whole(table, mark))):
        raise SuspectError(
            f"{path}: expected one column beside the image, with the label, or a header that says which it is, "
            f"got {width}"
        )
    return Columns(scores=tuple(range(width)))


def _by_rank(header: Sequence[str]) -> tuple[dict[int, int], dict[int, int]]:
    """Columns with labels and with scores, by the number in their heading, or 0: those of ``top 2`` are second best."""
    labels: dict[int, int] = {}
    scores: dict[int, int] = {}
    for place, name in enumerate(header):
        words = _words(name)
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


def _is_whole(table: Table, mark: str) -> bool:
    """Whether one of two columns has whole numbers, as of classes, and the other has not."""
    whole = [
        all((read_number(cells[place], mark) or 0.0).is_integer() for cells in table.rows.values()) for place in (0, 1)
    ]
    return whole[0] != whole[1]


def _alternate(numeric: Sequence[bool]) -> bool:
    """Whether columns with and without numbers take turns, in pairs."""
    pairs = list(zip(numeric[::2], numeric[1::2], strict=False))
    return len(numeric) % 2 == 0 and len(set(pairs)) == 1 and pairs[0][0] != pairs[0][1]
