"""Tables of answers as people's programs write them: separators, decimal marks and encodings of any locale."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}([.,'])[0-9]{3}(?:\1[0-9]{3})*(?=(?!\1)[.,]|$)")
_GROUPS = re.compile(r"[+-]?[1-9][0-9]{0,2}([.,])[0-9]{3}(?:\1[0-9]{3})*")
_BELOW_GROUPS = re.compile(r"[+-]?[0-9]{1,3}")
_INDEX = re.compile(r"|index|unnamed: [0-9]+(\.[0-9]+)?", re.IGNORECASE)  # as pandas heads its own
_NOT_FINITE = ("nan", "inf", "-inf", "infinity", "-infinity")


@dataclass(frozen=True)
class Table:
    """Answers to images.

    Attributes:
        header: what the columns but the image's are called; empty if the file has no header.
        rows: the cells of an image's line but its name, by the hash part of that, of all images, so that what the
            columns hold does not hang on the images that are asked.
    """

    header: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


def image_key(name: str) -> str | None:
    """The hash part of an image's name, whatever path and extension surround it; ``None`` if there is none."""
    found = _IMAGE.search(re.split(r"[\\/]", name)[-1])
    return found.group(1).lower() if found else None


def read_table(path: Path, keys: Sequence[str]) -> Table:
    """The answers in ``path``, which must have those to the images with these hash parts.

    The image's name stands in the column that has the most of them. The header is the last line before the first image;
    other lines without an image, columns that number the lines and empty columns without a heading are left out.

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
    told = [line for line in lines if place < len(line) and image_key(line[place])]
    if all(len(line) == 1 for line in told):
        raise SuspectError(
            f"{path}: expected a comma, a semicolon or a tab between an image's name and its answer, as in NAME.png,7, "
            f"got {_shown(told[0])}"
        )
    before = lines[: lines.index(told[0])]
    headed = before[-1] if before and len(before[-1]) > 1 else []
    width = max(len(_trimmed(line)) for line in (headed, *told))
    left_out = {place, *_index_columns(headed, told, place, width)}
    header = _without(headed[:width], left_out)
    rows: dict[str, list[tuple[str, ...]]] = {}
    for line in told:
        rows.setdefault(image_key(line[place]) or "", []).append(_without(line[:width], left_out))
    _check_lines(path, {key: given for key, given in rows.items() if key in keys}, keys)
    beside = len(header) if any(header) else len(rows[keys[0]][0])
    _check_widths(path, {key: rows[key][0] for key in keys}, beside)
    return Table(
        header if any(header) else (), {key: given[0] for key, given in rows.items() if len(given[0]) == beside}
    )


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
    if grouped and grouped.group(1) != mark:
        text = grouped.group().replace(grouped.group(1), "") + text[grouped.end() :]
    if mark == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) / 100 if percent else float(text)


def decimal_mark(path: Path, table: Table) -> str:
    """What the numbers in ``table`` have before their decimals.

    Where all marks may stand between groups of thousands, they do if a column also has numbers too small for groups.

    Raises:
        SuspectError: some have a point, some a comma, so that 1,234 may be one or the other.
    """
    columns = [[_plain(cell) for cell in column] for column in zip(*table.rows.values(), strict=True)]
    marked = [column for column in columns if any(map(_mark, column))]
    marks = Counter(_mark(cell) for column in marked for cell in column)
    if marks["."] and marks[","]:
        raise SuspectError(f"{path}: expected one decimal mark, got points in some numbers and commas in others")
    numbers = [cell for column in marked for cell in column]
    groups = all(_GROUPS.fullmatch(cell) for cell in numbers if _mark(cell))
    if groups and any(_BELOW_GROUPS.fullmatch(cell) for cell in numbers):
        return "," if marks["."] else "."
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
    if b"\0" in data:
        for encoding in ("utf-16-le", "utf-16-be"):
            text = data.decode(encoding, errors="replace")
            if _IMAGE.search(text) and "\N{REPLACEMENT CHARACTER}" not in text:
                return text
        raise csv.Error("it holds zero bytes; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")  # what Excel means by CSV without more
    except UnicodeDecodeError as error:
        raise csv.Error(f"it is neither UTF-8 nor Windows-1252 ({error.reason}); save it as UTF-8") from error


def _split(text: str) -> list[list[str]]:
    """The lines that are not empty, as cells; the separator is the first that stands in each, or in each with an image.

    Lines without an image may be titles and sums, which need no separator.
    """
    told = re.match(r"sep=(.)\r?\n", text)
    if told:  # Excel's own way to say so
        text = text[told.end() :]
    splits = []
    for separator in told.group(1) if told else _SEPARATORS:
        reader = csv.reader(text.splitlines(keepends=True), delimiter=separator)
        splits.append([line for line in reader if any(cell.strip() for cell in line)])  # one may be all commas
    images = [[line for line in lines if any(map(image_key, line))] for lines in splits]
    for needed, lines in zip([*splits, *images], splits * 2, strict=True):
        if needed and all(len(line) > 1 for line in needed):
            return lines
    return splits[-1] or [[]]


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


def _check_widths(path: Path, rows: Mapping[str, Sequence[str]], width: int) -> None:
    for key, cells in rows.items():
        if len(cells) != width:
            raise SuspectError(
                f"{path}: expected {width} cells beside the image's, as in the first line, got {len(cells)} for "
                f"{name_some([key])}"
            )


def _without(line: Sequence[str], places: Collection[int]) -> tuple[str, ...]:
    return tuple(cell.strip() for place, cell in enumerate(line) if place not in places)


def _trimmed(line: Sequence[str]) -> list[str]:
    """Without empty cells at the end."""
    return list(line[: max((place + 1 for place, cell in enumerate(line) if cell.strip()), default=0)])


def _index_columns(header: Sequence[str], lines: Sequence[Sequence[str]], image: int, width: int) -> list[int]:
    """Columns that number the ``lines``, as pandas writes them, beside others that hold the answers."""
    found = []
    for place, heading in enumerate(header[:width]):
        cells = [line[place].strip() for line in lines if place < len(line)]
        if _INDEX.fullmatch(heading.strip()) and all(cell.isdecimal() and len(cell) < 10 for cell in cells):
            numbers = set(map(int, cells))
            if len(numbers) == len(lines) == max(numbers) - min(numbers) + 1:
                found.append(place)
    return found if len({image, *found}) < width else []


def _plain(cell: str) -> str:
    """Without white space, of which some languages put some before a per cent sign, and with ASCII's marks."""
    return "".join(cell.split()).replace("\N{MINUS SIGN}", "-").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _mark(text: str) -> str:
    """The decimal mark of one number: the last of point and comma; empty where it has none."""
    if not re.fullmatch(r"[+-]?[0-9.,']+(?:[eE][+-]?[0-9]+)?%?", text):
        return ""
    return max(".,", key=text.rfind) if "." in text or "," in text else ""


def _shown(line: Sequence[str]) -> str:
    return printable(repr([cell[:_SHOWN] for cell in line[:_NAMED]]))
