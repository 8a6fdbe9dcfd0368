"""Score tables: one row a suspect, the only thing that evaluation sees."""

from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nf.core.files import read_csv, write_csv
from nf.core.lineage import ModelSpec


@dataclass(frozen=True)
class Score:
    """A suspect's score, with the properties by which evaluation groups suspects.

    Attributes:
        suspect: id of the model in the zoo.
        pool: ``ModelSpec.pool``.
        role: ``positive`` or ``negative``.
        attack: ``ModelSpec.attack``.
        level: ``ModelSpec.level``.
        architecture: ``ModelSpec.architecture``.
        mirror: id of the suspect's mirror, empty if it has none.
        score: matching rate or verifier's probability in [0, 1], high for stolen.
        queries: number of images that the suspect answered.
        lineage: id of the model from scratch that it descends from; models of one lineage are no independent witnesses.
    """

    suspect: str
    pool: str
    role: str
    attack: str
    level: str
    architecture: str
    mirror: str
    score: float
    queries: int
    lineage: str = ""

    @classmethod
    def of(cls, spec: ModelSpec, score: float, queries: int, lineage: str = "") -> "Score":
        """The row for the model ``spec`` of ``lineage``, which answered ``queries`` images."""
        return cls(
            spec.id,
            spec.pool,
            spec.role,
            spec.attack,
            spec.level,
            spec.architecture,
            spec.mirror or "",
            score,
            queries,
            lineage,
        )


@dataclass(frozen=True)
class ScoreTable:
    """Scores of one scheme on many suspects.

    Attributes:
        rows: one for each suspect or training model, in the order of the lineage.
    """

    rows: tuple[Score, ...]

    def select(self, *, pool: str | None = None, role: str | None = None) -> "ScoreTable":
        """The rows of one pool (see ``ModelSpec.pool``) and role; ``None`` stands for every pool or role."""
        return ScoreTable(tuple(r for r in self.rows if pool in (None, r.pool) and role in (None, r.role)))

    @property
    def values(self) -> NDArray[np.float64]:
        """(N,) float64 scores in [0, 1], in the table's order."""
        return np.array([row.score for row in self.rows], dtype=np.float64)

    def by_suspect(self) -> dict[str, Score]:
        """Rows by suspect id."""
        return {row.suspect: row for row in self.rows}

    def save(self, path: Path) -> None:
        """Write the table as CSV."""
        write_csv(path, [f.name for f in fields(Score)], map(astuple, self.rows))

    @classmethod
    def load(cls, path: Path) -> "ScoreTable":
        """Read a table.

        Raises:
            ArtifactError: the file is missing or damaged: no rows, or other columns or values than a score table.
        """
        columns = {field.name: cast(type, field.type) for field in fields(Score)}
        return cls(tuple(Score(**row) for row in read_csv(path, columns, advice=f"run `nf score {path.stem}`")))
