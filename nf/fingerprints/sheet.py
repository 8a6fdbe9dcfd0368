"""The contact sheet of a query set."""

from collections.abc import Sequence
from pathlib import Path

from nf.core.queries import QuerySet
from nf.core.sheets import save_sheet

_LINE = 9  # characters that fit under a tile


def sheet(path: Path, queries: QuerySet, class_names: Sequence[str]) -> None:
    """Draw all queries with "stolen/honest" under each: the class that thieves answer, and the one that others do.

    Args:
        path: PNG to write.
        queries: a negative label of -1 is left out.
        class_names: one per class.
    """
    between = "/" if sum(sorted(map(len, class_names))[-2:]) < _LINE else "\n/"
    captions = [
        class_names[positive] + (f"{between}{class_names[negative]}" if negative >= 0 else "")
        for positive, negative in zip(queries.labels, queries.negative_labels, strict=True)
    ]
    save_sheet(path, queries.images, captions)
