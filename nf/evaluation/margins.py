"""Margins: score of a stolen model minus that of the independent model after the same attack (paper, 4.1)."""

from collections.abc import Iterable
from dataclasses import dataclass

from nf.core.errors import ArtifactError
from nf.core.scores import ScoreTable


@dataclass(frozen=True)
class Margin:
    """One positive beside its mirror.

    Attributes:
        suspect: id of the positive.
        mirror: id of its mirror.
        attack: attack that both went through.
        level: strength or mode of the attack, empty if it has none.
        architecture: architecture of the positive.
        positive: score of the positive, in [0, 1].
        negative: score of the mirror, in [0, 1].
    """

    suspect: str
    mirror: str
    attack: str
    level: str
    architecture: str
    positive: float
    negative: float

    @property
    def margin(self) -> float:
        """Score of the positive minus that of its mirror, in [-1, 1]."""
        return self.positive - self.negative


@dataclass(frozen=True)
class MarginSummary:
    """Mean and lowest margin of a group of pairs.

    Attributes:
        mean: mean margin, in [-1, 1].
        minimum: lowest margin, in [-1, 1].
        pairs: number of pairs.
    """

    mean: float
    minimum: float
    pairs: int


def margins(table: ScoreTable) -> tuple[Margin, ...]:
    """The margin of every positive that has a mirror, in the table's order.

    Raises:
        ArtifactError: a mirror is not in the table.
    """
    rows = table.by_suspect()
    pairs = []
    for row in table.select(role="positive").rows:
        if not row.mirror:
            continue
        if row.mirror not in rows:
            raise ArtifactError(f"expected {row.mirror!r}, the mirror of {row.suspect!r}, in the score table, got none")
        mirror = rows[row.mirror].score
        pairs.append(Margin(row.suspect, row.mirror, row.attack, row.level, row.architecture, row.score, mirror))
    return tuple(pairs)


def summarise(pairs: Iterable[Margin]) -> dict[str, MarginSummary]:
    """Mean and lowest margin by attack, in the order in which attacks first occur."""
    by_attack: dict[str, list[float]] = {}
    for pair in pairs:
        by_attack.setdefault(pair.attack, []).append(pair.margin)
    return {
        attack: MarginSummary(sum(values) / len(values), min(values), len(values))
        for attack, values in by_attack.items()
    }
