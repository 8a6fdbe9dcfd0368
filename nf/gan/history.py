"""How a training went: one row now and then, as a CSV file beside the GAN."""

import csv
import io
from pathlib import Path

from nf.core.errors import ArtifactError
from nf.core.files import write_text


class History:
    """Rows of numbers by name, the first of them ``step``; the file at ``path`` always holds all rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def add(self, step: int, numbers: dict[str, float]) -> None:
        """Append a row and write the file."""
        self.rows.append({"step": step, **numbers})
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: round(value, 6) for key, value in row.items()} for row in self.rows)
        write_text(self.path, buffer.getvalue())


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows that a ``History`` wrote, in order.

    Raises:
        ArtifactError: the file is missing, or a cell is not a number.
    """
    try:
        with path.open(newline="") as handle:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(handle)]
    except (OSError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"expected a training's history in {path}: {error}; run `nf gan {path.parent.name}`"
        ) from error
