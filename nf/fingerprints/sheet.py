"""The contact sheet of a query set."""

from collections.abc import Sequence
from pathlib import Path

from nf.core.queries import QuerySet
from nf.core.sheets import save_sheet

_LINE = 9  # characters that fit under a tile


def sheet(path: Path, queries: QuerySet, class_names: Sequence[str]) -> None:
    """Draw all queries, each over the class that thieves answer and, after a slash, that of independent models.

    Args:
        path: PNG file to write.
        queries: query set to draw; a negative label of -1 is left out.
        class_names: name of each class, in the order of the labels.

    Raises:
        ArtifactError: the file cannot be written.
    """
    between = "/" if sum(sorted(map(len, class_names))[-2:]) < _LINE else "\n/"
    captions = [
        class_names[positive] + (f"{between}{class_names[negative]}" if negative >= 0 else "")
        for positive, negative in zip(queries.labels, queries.negative_labels, strict=True)
    ]
    save_sheet(path, queries.images, captions)
