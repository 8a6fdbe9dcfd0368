"""A suspect that was asked by other means: its answers as somebody wrote them down."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.errors import ConfigError, SuspectError
from nf.core.interface import NO_CLASS, Interface, plain_name
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.core.sheets import image_hash
from nf.suspects.answers import Answered, check_answers
from nf.suspects.columns import Columns, add_up, bare_name, find_columns
from nf.suspects.interpret import Raw, interpret
from nf.suspects.probe import Found, find
from nf.suspects.scope import ANSWERS, Scope
from nf.suspects.table import Table, decimal_mark, known_keys, name_some, read_number, read_table

_OTHERS = ("other", "none of these", "none of the classes shown")
_SHOWN = 40  # characters of a cell
_NAMED = 5  # names in a message
_ALIKE = 0.8  # of two names, as difflib measures it, from which on one may be the other with a slip
_WRAPPED = re.compile(r"""(=|([\w.]*[\[({])+)\s*["']?[-+.]*[0-9]""")  # how code and formulas write numbers

_NO_ANSWER = re.compile(
    r"n/?a|<na>|nan|null|nil|none|[-?\u2013\u2014]+|#.*|(error|time-?out|failed)\b.*", re.IGNORECASE
)
"""What programs and people write where there is no answer, the errors of spreadsheets among it."""

_ADVICE = "; leave out columns that hold no answers, and head that of the label `label` (docs/answers.md)"

TABLE = Scope("a table of answers", ANSWERS)
"""What can be stated of answers that somebody else got."""


def other_marks(class_names: Collection[str]) -> tuple[str, ...]:
    """What a table may say of an image whose class is none of ``class_names``; a class may be called "other"."""
    known = {plain_name(name) for name in class_names}
    return tuple(mark for mark in _OTHERS if mark not in known) or _OTHERS[-1:]


class CsvSuspect:
    """A table of answers as a black box; see ``nf.core.predictor.Predictor``.

    A line for each image in any order, in one column the name that ``nf images`` gave it, and beside it: the label, by
    number or name; labels with their scores, one or several; or a column for each class, which a header with numbers
    or with names of classes tells apart, and which are otherwise in the order of the source model's.

    Args:
        path: the file.
        output: what its answers mean.
        how: what is stated of its classes.

    Raises:
        ConfigError: something else is stated, too.
    """

    def __init__(self, path: Path, *, output: OutputKind = "logits", how: Interface | None = None) -> None:
        self._path = path
        self._output = output
        self._how = how or Interface()
        refused = TABLE.refusal(self._how)
        if refused is not None:
            raise ConfigError(refused)

    @property
    def output(self) -> OutputKind:
        """What an answer means."""
        return self._output

    @property
    def interface(self) -> Interface:
        """What is stated of its classes."""
        return self._how

    def __call__(self, images: NDArray[np.uint8]) -> Answered:
        """The answers to ``images`` (N, C, H, W): (N, classes) float32 scores or (N,) int64 labels.

        Raises:
            SuspectError: the file is missing or no such table, or lacks an image.
        """
        stated = replace(self._how, kind=self._output)
        raw, how = self.answers(images, stated)
        if self._output != "labels" and not isinstance(raw, np.ndarray):
            raise self._unfit(f"{self._output} of every class", "labels; say so")
        try:
            if self._output == "labels":
                return check_answers(interpret(raw, how, len(images)).labels, "labels", len(images))
            scores = check_answers(np.asarray(raw), self._output, len(images))
        except SuspectError as error:
            raise SuspectError(f"{self._path}: {error}") from None
        if how.classes is None:
            return scores
        order = [how.classes.index(label) for label in sorted(set(how.classes) - {NO_CLASS})]
        return scores[:, order]

    def find(self, controls: Controls, num_classes: int) -> Found:
        """What its answers mean, by those to ``controls``; see ``nf.suspects.probe.find``.

        Raises:
            NoVerdictError: too few of them are right.
            SuspectError: it is no such table, or lacks one of them.
        """
        _, how = self.answers(controls.images, self._how, controls.class_names)
        return find(self._ask, [how], controls, num_classes, self._how, advice=lambda: _ADVICE)

    def ask(self, images: NDArray[np.uint8], hows: Sequence[Interface]) -> list[dict[str, Raw]]:
        """As ``answers``, under the name of an output."""
        return [self._ask(images, how) for how in hows]

    def _ask(self, images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        return {"answers": self.answers(images, how)[0]}

    def answered(self, images: NDArray[np.uint8]) -> list[int]:
        """Places of the ``images`` that the table has answers to."""
        known = known_keys(self._path)
        return [place for place, image in enumerate(images) if image_hash(image) in known]

    def answers(
        self, images: NDArray[np.uint8], how: Interface, class_names: Sequence[str] = ()
    ) -> tuple[Raw, Interface]:
        """What the table says of ``images``, and ``how`` with what the table itself declares.

        Args:
            images: (N, C, H, W).
            how: ``kind`` and what is stated of classes.
            class_names: the owner's, in the order of labels, which the table may use where ``how`` has no labels.

        Raises:
            SuspectError: the table does not fit the images, or has a name that is nearly one of the known.
        """
        keys = [image_hash(image) for image in images]
        table = read_table(self._path, keys)
        mark = decimal_mark(self._path, table)
        names = how.labels or tuple(class_names)
        columns = find_columns(self._path, table, mark, how.kind, [plain_name(name) for name in names])
        how = self._named(table, columns, mark, how, names)
        rows = [table.rows[key] for key in keys]
        if columns.answers:
            said = {plain_name(cells[place]) for cells in table.rows.values() for place, _ in columns.answers}
            return self._ranked(rows, keys, columns, mark, how, others=said.intersection(other_marks(names)))
        scores = np.array(
            [
                [self._score(cells[place], key, mark) for place in columns.scores]
                for cells, key in zip(rows, keys, strict=True)
            ]
        )
        percent = any("%" in cells[place] for cells in rows for place in columns.scores)
        if how.kind in (None, "probabilities") and not percent and add_up(scores, 100):
            scores, percent = scores / 100, True
        declared = replace(how, kind=how.kind or ("probabilities" if percent else None))
        classes = self._classes(tuple(table.header[place] for place in columns.scores if table.header), how)
        return scores, declared if classes is None else replace(declared, classes=classes, offset=None)

    def _named(self, table: Table, columns: Columns, mark: str, how: Interface, names: Sequence[str]) -> Interface:
        """``how`` with ``names`` as labels, if none are stated and the table names classes so."""
        known = {plain_name(name): name for name in names}
        if not columns.answers:
            headings = {bare_name(table.header[place]) for place in columns.scores if table.header}
            named = any(name in known and not name.isdecimal() for name in headings)
            return replace(how, labels=tuple(names)) if named and how.labels is None else how
        cells = {cells[place] for cells in table.rows.values() for place, _ in columns.answers}
        others = other_marks(names)
        told = {cell for cell in cells if plain_name(cell) not in ("", *others)}
        words = {cell for cell in told if read_number(cell, mark) is None}
        if any(plain_name(word) in known for word in words):
            self._check_words([cell for cell in told if plain_name(cell) not in known], mark, others[0])
        unknown = sorted(word for word in words if plain_name(word) not in known)
        nearly = [(word, known[near]) for word in unknown if (near := _nearly(word, known)) is not None]
        if nearly:
            found = ", ".join(f"{word[:_SHOWN]!r} where {name!r} may be meant" for word, name in nearly[:_NAMED])
            raise self._unfit(
                "names of classes as they are known",
                f"{found}; correct them or save the table as UTF-8, or write {others[0]} for a class that is none",
            )
        return replace(how, labels=tuple(names)) if words and not unknown and how.labels is None else how

    def _check_words(self, unknown: Collection[str], mark: str, other: str) -> None:
        """Refuse cells beside names of classes that say that there is no answer, or that are numbers: neither is one.

        Raises:
            SuspectError: there are such among the ``unknown``.
        """
        found = sorted(
            cell for cell in unknown if _NO_ANSWER.fullmatch(cell.strip()) or read_number(cell, mark) is not None
        )
        if found:
            shown = ", ".join(repr(cell[:_SHOWN]) for cell in found[:_NAMED])
            raise self._unfit(
                "the name of a class in each line",
                f"{shown}; ask again where there is no answer, and write {other} for a class that is none",
            )

    def _ranked(
        self,
        rows: Sequence[Sequence[str]],
        keys: Sequence[str],
        columns: Columns,
        mark: str,
        how: Interface,
        *,
        others: Collection[str],
    ) -> tuple[Raw, Interface]:
        """The best label of each line; with its score and those behind it, where each has one.

        ``others`` are the table's marks of none of the classes.
        """
        if any(score is None for _, score in columns.answers):
            place = columns.answers[0][0]
            labels = [self._label(cells[place], key, mark, how, others) for cells, key in zip(rows, keys, strict=True)]
            if others:  # as pairs, of which there may be none
                return [[] if label in others else [(label, 1.0)] for label in labels], replace(how, kind="top-k")
            return labels, replace(how, kind="names")
        pairs = []
        for cells, key in zip(rows, keys, strict=True):
            ranks = [(cells[label], cells[cast(int, score)]) for label, score in columns.answers]
            pairs.append(
                [
                    (self._label(label, key, mark, how, others), self._score(score, key, mark))
                    for label, score in ranks
                    if label
                ]
            )
            if not pairs[-1]:
                raise self._unfit(f"a label for {name_some([key])}", "none")
        return pairs, replace(how, kind="top-k")

    def _label(self, cell: str, key: str, mark: str, how: Interface, others: Collection[str]) -> str:
        """A class as a name, as a number without decimals, which a spreadsheet may have added, or one of ``others``."""
        if plain_name(cell) in others:
            return plain_name(cell)
        known = {plain_name(label) for label in how.labels or ()}
        number = read_number(cell, mark) if cell.isascii() and plain_name(cell) not in known else None
        if number is not None and number.is_integer() and 0 <= number < 1e9:
            return str(int(number))
        wrapped = plain_name(cell) not in known and _WRAPPED.match(cell)
        if not cell or how.labels is None or wrapped:
            hint = "; say with labels which names there are" if cell and number is None else ""
            raise self._unfit(f"a label for {name_some([key])}", repr(cell[:_SHOWN]) + (_bare_hint(cell) or hint))
        return cell

    def _score(self, cell: str, key: str, mark: str) -> float:
        number = read_number(cell, mark)
        if number is None:
            raise self._unfit(f"a score for {name_some([key])}", repr(cell[:_SHOWN]) + _bare_hint(cell))
        return number

    def _classes(self, header: Sequence[str], how: Interface) -> tuple[int, ...] | None:
        """The owner's class of each column that ``header`` names, ``None`` where they stand in the owner's order."""
        if not header or how.classes is not None:
            return how.classes
        names = [bare_name(name) for name in header]
        if how.labels is not None:
            known = {plain_name(label): index for index, label in enumerate(how.labels)}
            named = tuple(known.get(name, NO_CLASS) for name in names)
            if sorted(label for label in named if label != NO_CLASS) == list(range(len(known))):
                return named
        numbers = [int(name) for name in names if name.isdecimal() and len(name) < 10]
        if len(numbers) < len(names):
            if how.labels is not None:
                raise self._unfit(f"a column for {how.labels[0]!r} and each other class, once", repr(names[:12]))
            return None
        first = how.offset if how.offset is not None else min(numbers)
        behind = [number - first for number in numbers]
        if how.offset is None and (first > 1 or sorted(behind) != list(range(len(behind)))):
            raise self._unfit("a column for each class, from 0 or 1 on without a gap", repr(names[:12]))
        return tuple(max(label, NO_CLASS) for label in behind)

    def _unfit(self, expected: str, got: str) -> SuspectError:
        return SuspectError(f"{self._path}: expected {expected}, got {printable(got)}")


def _nearly(word: str, known: Collection[str]) -> str | None:
    """The one of the plain names ``known`` that ``word`` may be, with a slip or in another encoding."""
    digits = re.findall("[0-9]+", word)  # class 1 is not class 10 with a slip
    likely = [name for name in known if re.findall("[0-9]+", name) == digits]
    close = get_close_matches(plain_name(word), likely, n=1, cutoff=_ALIKE)
    return next((name for name in likely if _in_ascii(name) & _in_ascii(word)), close[0] if close else None)


def _in_ascii(name: str) -> set[str]:
    """What an encoding that was taken for another leaves of ``name``, and what is left without accents."""
    forms = [unicodedata.normalize(form, name).casefold() for form in ("NFC", "NFKD")]
    left = ["".join(character for character in form if character.isascii()).split() for form in forms]
    return {" ".join(words) for words in left if any(map(str.isalpha, "".join(words)))}


def _bare_hint(cell: str) -> str:
    """What to write for a cell that holds numbers as code and formulas write them; empty for others."""
    if not _WRAPPED.match(cell):
        return ""
    numbers = re.findall(r"(?<![\w.])[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?", cell)
    return f"; write {numbers[0]}" if len(numbers) == 1 else "; write each number into a column of its own"
