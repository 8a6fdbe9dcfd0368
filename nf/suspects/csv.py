"""A suspect that was asked by other means: its answers as somebody wrote them down."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.errors import SuspectError
from nf.core.interface import NO_CLASS, Interface, plain_name
from nf.core.predictor import OutputKind
from nf.core.printing import printable
from nf.core.sheets import image_hash
from nf.suspects.answers import Answered, check_answers
from nf.suspects.columns import Columns, bare_name, find_columns
from nf.suspects.interpret import Raw, interpret
from nf.suspects.probe import Found, find
from nf.suspects.table import decimal_mark, known_keys, name_some, read_number, read_table

OTHER = "other"
"""The label of an answer that is none of the owner's classes."""

_SHOWN = 40  # characters of a cell
_PERCENT_ERROR = 1.0  # how far rounding to whole per cents may take a sum of a hundred


class CsvSuspect:
    """A table of answers as a black box; see ``nf.core.predictor.Predictor``.

    A line for each image in any order, in one column the name that ``nf images`` gave it, and beside it: the label, by
    number or name; labels with their scores, one or several; or a column for each class, which a header with numbers
    or with names of ``how.labels`` tells apart, and which are otherwise in the order of the source model's.

    Args:
        path: the file.
        output: what its answers mean.
        how: what is stated of its classes.
    """

    def __init__(self, path: Path, *, output: OutputKind = "logits", how: Interface | None = None) -> None:
        self._path = path
        self._output = output
        self._how = how or Interface()

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
        _, how = self.answers(controls.images, self._how)
        return find(self._ask, [how], controls, num_classes, self._how)

    def ask(self, images: NDArray[np.uint8], hows: Sequence[Interface]) -> list[dict[str, Raw]]:
        """As ``answers``, under the name of an output."""
        return [self._ask(images, how) for how in hows]

    def _ask(self, images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        return {"answers": self.answers(images, how)[0]}

    def answered(self, images: NDArray[np.uint8]) -> list[int]:
        """Places of the ``images`` that the table has answers to."""
        known = known_keys(self._path)
        return [place for place, image in enumerate(images) if image_hash(image) in known]

    def answers(self, images: NDArray[np.uint8], how: Interface) -> tuple[Raw, Interface]:
        """What the table says of ``images``, and ``how`` with what the table itself declares.

        Args:
            images: (N, C, H, W).
            how: ``kind`` and what is stated of classes.

        Raises:
            SuspectError: the table does not fit the images.
        """
        keys = [image_hash(image) for image in images]
        table = read_table(self._path, keys)
        mark = decimal_mark(self._path, [cell for cells in table.rows.values() for cell in cells])
        columns = find_columns(self._path, table, mark, how.kind)
        rows = [table.rows[key] for key in keys]
        if columns.answers:
            return self._ranked(rows, keys, columns, mark, how)
        scores = np.array(
            [
                [self._score(cells[place], key, mark) for place in columns.scores]
                for cells, key in zip(rows, keys, strict=True)
            ]
        )
        percent = any("%" in cells[place] for cells in rows for place in columns.scores)
        if how.kind in (None, "probabilities") and not percent and _add_up_to_a_hundred(scores):
            scores, percent = scores / 100, True
        declared = replace(how, kind=how.kind or ("probabilities" if percent else None))
        classes = self._classes(tuple(table.header[place] for place in columns.scores if table.header), how)
        return scores, declared if classes is None else replace(declared, classes=classes, offset=None)

    def _ranked(
        self, rows: Sequence[Sequence[str]], keys: Sequence[str], columns: Columns, mark: str, how: Interface
    ) -> tuple[Raw, Interface]:
        """The best label of each line; with its score and those behind it, where each has one."""
        if any(score is None for _, score in columns.answers):
            place = columns.answers[0][0]
            labels = [self._label(cells[place], key, mark, how) for cells, key in zip(rows, keys, strict=True)]
            if OTHER in labels:  # as pairs, of which there may be none
                return [[] if label == OTHER else [(label, 1.0)] for label in labels], replace(how, kind="top-k")
            return labels, replace(how, kind="names")
        pairs = []
        for cells, key in zip(rows, keys, strict=True):
            ranks = [(cells[label], cells[cast(int, score)]) for label, score in columns.answers]
            pairs.append(
                [(self._label(label, key, mark, how), self._score(score, key, mark)) for label, score in ranks if label]
            )
            if not pairs[-1]:
                raise self._unfit(f"a label for {name_some([key])}", "none")
        return pairs, replace(how, kind="top-k")

    def _label(self, cell: str, key: str, mark: str, how: Interface) -> str:
        """A class as a name, or as a number without decimals, which a spreadsheet may have added."""
        if cell == OTHER:
            return cell
        known = {plain_name(label) for label in how.labels or ()}
        number = read_number(cell, mark) if cell.isascii() and plain_name(cell) not in known else None
        if number is not None and number.is_integer() and 0 <= number < 1e9:
            return str(int(number))
        if not cell or how.labels is None:
            hint = "; say with labels which names there are" if cell and number is None else ""
            raise self._unfit(f"a label for {name_some([key])}", repr(cell[:_SHOWN]) + hint)
        return cell

    def _score(self, cell: str, key: str, mark: str) -> float:
        number = read_number(cell, mark)
        if number is None:
            raise self._unfit(f"a score for {name_some([key])}", repr(cell[:_SHOWN]))
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


def _add_up_to_a_hundred(scores: NDArray[np.float64]) -> bool:
    off = np.abs(scores.sum(axis=1) - 100).max()
    return bool(scores.shape[1] > 1 and scores.min() >= 0 and off <= _PERCENT_ERROR)
