"""A suspect that was asked by other means: its answers as somebody wrote them down."""

import csv
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.predictor import OutputKind
from nf.core.sheets import image_name
from nf.suspects.answers import check_answers

_KEY = "image"
_SHOWN = 40  # characters of a cell
_LABEL = re.compile(r"\s*-?[0-9]{1,18}\s*")  # as many digits as an int64 always holds


class CsvSuspect:
    """A CSV file as a black box; see ``nf.core.predictor.Predictor``.

    Its first line is a header, each other line the answer to one image in any order: in the column ``image`` the name
    that ``nf images`` gave it, then the label alone, or a column for each class in the order of the source model's.

    Args:
        path: the file.
        output: what its answers mean.
    """

    def __init__(self, path: Path, *, output: OutputKind = "logits") -> None:
        self._path = path
        self._output = output

    @property
    def output(self) -> OutputKind:
        """What an answer means."""
        return self._output

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | NDArray[np.int64]:
        """The answers to ``images`` (N, C, H, W), a whole query set: (N, classes) float32 scores or (N,) int64 labels.

        Raises:
            SuspectError: the file is missing or no such table, or lacks an image.
        """
        rows = self._read()
        names = [image_name(index, image) for index, image in enumerate(images)]
        for name in names:
            if name not in rows:
                raise self._unfit(f"an answer to {name}", "none")
        if len(rows) > len(names):
            raise self._unfit(f"answers to {len(names)} images", f"{len(rows)}")
        width = len(rows[names[0]])
        for name in names:
            if len(rows[name]) != width:
                raise self._unfit(f"{width} cells beside {_KEY} in each line", f"{len(rows[name])} for {name}")
        if self._output == "labels" and width != 1:
            raise self._unfit(f"one column beside {_KEY}, with the label", f"{width}")
        values = np.array([[self._number(cell, name) for cell in rows[name]] for name in names])
        try:
            return check_answers(values[:, 0] if self._output == "labels" else values, self._output, len(names))
        except SuspectError as error:
            raise SuspectError(f"{self._path}: {error}") from None

    def _number(self, cell: str, name: str) -> int | float:
        """The label or score in ``cell`` of the line about ``name``: of what Python reads as numbers the plain ones."""
        number: int | float | None = None
        if self._output == "labels":
            number = int(cell) if _LABEL.fullmatch(cell) else None
        elif cell.isascii() and "_" not in cell:
            with suppress(ValueError):
                number = float(cell)
        if number is None:
            what = "a label" if self._output == "labels" else "a score"
            raise self._unfit(f"{what} for {name}", repr(cell[:_SHOWN]))
        return number

    def _read(self) -> dict[str, list[str]]:
        """The cells of each line but its image's name, by that name."""
        rows: dict[str, list[str]] = {}
        try:
            with self._path.open(newline="", encoding="utf-8-sig") as file:
                lines = csv.reader(file)
                header = next(lines, [])
                if _KEY not in header:
                    raise self._unfit(f"a header with the column {_KEY!r}", f"{header[:5]}")
                place = header.index(_KEY)
                for line in filter(any, lines):  # a spreadsheet's empty lines are commas
                    name, cells = line[place] if place < len(line) else "", [*line[:place], *line[place + 1 :]]
                    if name in rows:
                        raise self._unfit(f"one answer to {name}", "two")
                    rows[name] = cells
        except OSError as error:
            raise SuspectError(f"{self._path}: expected a table of answers: {error.strerror}") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise SuspectError(f"{self._path}: expected a table of answers as CSV: {error}") from error
        return rows

    def _unfit(self, expected: str, got: str) -> SuspectError:
        return SuspectError(f"{self._path}: expected {expected}, got {got}")
