"""FingerBench+: suspects beyond the paper's, group by group and never mixed into its 154."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nf.core.lineage import Role
from nf.core.scores import Score, ScoreTable
from nf.evaluation.aruc import aruc
from nf.evaluation.intervals import Estimate, estimate

# What an attack of the pool ``plus`` is called as a group.
EXTENDED_GROUPS = {"train": "twin", "distill": "cross-data", "compress": "compressed", "defend": "defended"}


@dataclass(frozen=True)
class Group:
    """Rates of one group's models, and how many of them the verdict calls stolen.

    Attributes:
        role: ``negative`` for twins: each one called stolen is an honest model accused.
        models: how many there are.
        called_stolen: how many score at or above the threshold.
        mean: of the scores.
        minimum: of the scores.
        maximum: of the scores.
    """

    role: Role
    models: int
    called_stolen: int
    mean: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class ExtendedEvaluation:
    """What one scheme reaches on FingerBench+.

    Attributes:
        groups: by name.
        aruc_twins: area of FingerBench's positives against the twins, or None if there are no twins.
    """

    groups: Mapping[str, Group]
    aruc_twins: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """Nested plain values; numbers sit where ``dvc metrics`` shows them."""
        record: dict[str, Any] = {name: asdict(group) for name, group in self.groups.items()}
        if self.aruc_twins is not None:
            interval = self.aruc_twins.interval
            record |= {
                "aruc_twins": self.aruc_twins.value,
                "aruc_twins_low": interval.low,
                "aruc_twins_high": interval.high,
            }
        return record


def evaluate_extended(
    table: ScoreTable, *, threshold: float, resamples: int, confidence: float, seed: int
) -> ExtendedEvaluation:
    """Evaluate the pool ``plus`` of ``table`` at the threshold that also holds for the paper's suspects.

    Args:
        table: scores in [0, 1], high = stolen.
        threshold: in [0, 1]; a suspect at or above it is called stolen.
        resamples: of the bootstrap.
        confidence: of its interval, in (0, 1).
        seed: of the resampling.

    Raises:
        ConfigError: there are twins and no positive suspect, or a setting is out of range.
    """
    by_group: dict[str, list[Score]] = {}
    for row in table.select(pool="plus").rows:
        by_group.setdefault(EXTENDED_GROUPS[row.attack], []).append(row)
    twins = [row.score for row in by_group.get("twin", [])]
    area = None
    if twins:
        stolen = table.select(pool="suspects", role="positive").values
        area = estimate(aruc, stolen, twins, resamples=resamples, confidence=confidence, seed=seed)
    return ExtendedEvaluation({name: _group(rows, threshold) for name, rows in by_group.items()}, area)


def _group(rows: Iterable[Score], threshold: float) -> Group:
    rows = list(rows)
    scores = np.array([row.score for row in rows])
    role: Role = "negative" if rows[0].role == "negative" else "positive"
    return Group(
        role=role,
        models=len(rows),
        called_stolen=int((scores >= threshold).sum()),
        mean=float(scores.mean()),
        minimum=float(scores.min()),
        maximum=float(scores.max()),
    )
