"""Tables of answers as people's programs write them: separators, decimal marks and encodings of any locale."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from nf.core.errors import SuspectError
from nf.core.printing import printable

_MAX_BYTES = 64 << 20
_SHOWN = 40  # characters of a cell
_NAMED = 5  # images in a message

_IMAGE = re.compile(r"(?<![0-9a-f])[0-9]{3,}-([0-9a-f]{8})(?![0-9a-f])", re.IGNORECASE)
_SEPARATORS = "\t;|,"  # where another than the comma separates, commas stand in numbers and names
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}([.,'])[0-9]{3}(?:\1[0-9]{3})*(?=(?!\1)[.,])")
_NOT_FINITE = ("nan", "inf", "-inf", "infinity", "-infinity")


@dataclass(frozen=True)
class Table:
    """Answers to images.

    Attributes:
        header: what the columns but the image's are called; empty if the file has no header.
        rows: the cells of an image's line but its name, by the hash part of that.
    """

    header: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


def image_key(name: str) -> str | None:
    """The hash part of an image's name, whatever path and extension surround it; ``None`` if there is none."""
    found = _IMAGE.search(re.split(r"[\\/]", name)[-1])
    return found.group(1).lower() if found else None


def read_table(path: Path, keys: Sequence[str]) -> Table:
    """The answers in ``path`` to the images with these hash parts; lines about others are left out.

    The image's name stands in the column that has the most of them.

    Args:
        path: path of a text file of lines with a separator between the cells.
        keys: hash parts; one that stands here twice may have two lines, if they say the same.

    Raises:
        SuspectError: the file cannot be read or is no such table, an image has no line or too many, or a line has
            another number of cells.
    """
    lines = _read_lines(path)
    place = _image_column(lines, set(keys))
    if place is None:
        raise SuspectError(
            f"{path}: expected a column with the names of the images as `nf images` wrote them, got none in "
            f"{_shown(lines[0])}"
        )
    first = image_key(lines[0][place]) if place < len(lines[0]) else None
    header = () if first else _without(lines[0], place)
    rows: dict[str, list[tuple[str, ...]]] = {}
    for line in lines if first else lines[1:]:
        key = image_key(line[place]) if place < len(line) else None
        if key in keys:
            rows.setdefault(key or "", []).append(_without(line, place))
    _check_lines(path, rows, keys)
    table = Table(header, {key: given[0] for key, given in rows.items()})
    _check_widths(path, table)
    return table


def known_keys(path: Path) -> frozenset[str]:
    """Hash parts of all images that a file has lines about.

    Raises:
        SuspectError: the file cannot be read or is no table.
    """
    keys = (image_key(cell) for line in _read_lines(path) for cell in line)
    return frozenset(filter(None, keys))


def read_number(cell: str, mark: str) -> float | None:
    """The number in ``cell``, a percentage as a share of 1; ``None`` if it is none.

    Args:
        cell: as written.
        mark: the table's decimal mark (``decimal_mark``).
    """
    text = _plain(cell)
    percent = text.endswith("%")
    text = text.removesuffix("%")
    if text.lower() in _NOT_FINITE:
        return float(text)
    grouped = _GROUPED.match(text)
    if grouped:
        text = grouped.group().replace(grouped.group(1), "") + text[grouped.end() :]
    if mark == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) / 100 if percent else float(text)


def decimal_mark(path: Path, cells: Collection[str]) -> str:
    """What the numbers among ``cells`` have before their decimals.

    Raises:
        SuspectError: some have a point, some a comma, so that 1,234 may be one or the other.
    """
    marks = Counter(_mark(_plain(cell)) for cell in cells)
    if marks["."] and marks[","]:
        raise SuspectError(f"{path}: expected one decimal mark, got points in some numbers and commas in others")
    return "," if marks[","] else "."


def name_some(keys: Sequence[str]) -> str:
    """Names of images for a message, as patterns of files."""
    rest = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(f"*-{key}.png" for key in keys[:_NAMED]) + rest


def _read_lines(path: Path) -> list[list[str]]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SuspectError(f"{path}: expected a table of answers: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise SuspectError(f"{path}: expected a table of at most {_MAX_BYTES:,} bytes, got more")
    if data.startswith(_WORKBOOKS):
        raise SuspectError(f"{path}: expected a table of answers as CSV, got a workbook; save it as CSV")
    try:
        return _split(_decode(data))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SuspectError(f"{path}: expected a table of answers as CSV: {error}") from error


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252")  # what Excel means by CSV without more
    if "\0" in text:
        raise csv.Error("it holds zero bytes")
    return text


def _split(text: str) -> list[list[str]]:
    """The lines that are not empty, as cells; the separator is the first that stands in each line."""
    told = re.match(r"sep=(.)\r?\n", text)
    if told:  # Excel's own way to say so
        text = text[told.end() :]
    lines: list[list[str]] = []
    for separator in told.group(1) if told else _SEPARATORS:
        reader = csv.reader(text.splitlines(keepends=True), delimiter=separator)
        lines = [line for line in reader if any(cell.strip() for cell in line)]  # an empty line may be all commas
        if lines and all(len(line) > 1 for line in lines):
            return lines
    return lines or [[]]


def _image_column(lines: Sequence[Sequence[str]], keys: Collection[str]) -> int | None:
    """The column with the most of ``keys``; if there are none, with the most of such, which then miss others."""
    known: Counter[int] = Counter()
    any_key: Counter[int] = Counter()
    for line in lines:
        for place, cell in enumerate(line):
            key = image_key(cell)
            known[place] += key in keys
            any_key[place] += key is not None
    for count in (known, any_key):
        if count.total():
            return max(sorted(count), key=count.__getitem__)
    return None


def _check_lines(path: Path, rows: dict[str, list[tuple[str, ...]]], keys: Sequence[str]) -> None:
    missing = [key for key in keys if key not in rows]
    if missing:
        raise SuspectError(
            f"{path}: expected an answer to {name_some(missing)}, got none; are these answers to another query set?"
        )
    wanted = Counter(keys)
    twice = [key for key, given in rows.items() if len(given) > wanted[key] or len(set(given)) > 1]
    if twice:
        raise SuspectError(f"{path}: expected one answer to {name_some(twice)}, got several")
    empty = [key for key, (cells, *_) in rows.items() if not any(cell.strip() for cell in cells)]
    if empty:
        raise SuspectError(f"{path}: expected an answer to {name_some(empty)}, got an empty line")


def _check_widths(path: Path, table: Table) -> None:
    width = len(table.header) or len(next(iter(table.rows.values())))
    for key, cells in table.rows.items():
        if len(cells) != width:
            raise SuspectError(
                f"{path}: expected {width} cells beside the image's, as in the first line, got {len(cells)} for "
                f"{name_some([key])}"
            )


def _without(line: Sequence[str], place: int) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in (*line[:place], *line[place + 1 :]))


def _plain(cell: str) -> str:
    """Without white space, of which some languages put some before a per cent sign, and with ASCII's minus."""
    return "".join(cell.split()).replace("\N{MINUS SIGN}", "-")


def _mark(text: str) -> str:
    """The decimal mark of one number: the last of point and comma; empty where it has none."""
    if not re.fullmatch(r"[+-]?[0-9.,']+(?:[eE][+-]?[0-9]+)?%?", text):
        return ""
    return max(".,", key=text.rfind) if "." in text or "," in text else ""


def _shown(line: Sequence[str]) -> str:
    return printable(repr([cell[:_SHOWN] for cell in line[:_NAMED]]))
