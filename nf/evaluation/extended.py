"""FingerBench+: suspects beyond the paper's, evaluated by group and never mixed into the paper's 154."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nf.core.lineage import Role
from nf.core.scores import Score, ScoreTable
from nf.evaluation.aruc import aruc
from nf.evaluation.intervals import Estimate, estimate

# Name of the group that the models of an attack of the pool ``plus`` form.
EXTENDED_GROUPS = {"train": "twin", "distill": "cross-data", "compress": "compressed", "defend": "defended"}


@dataclass(frozen=True)
class Group:
    """Scores of one group's models, and the number of them that the verdict calls stolen.

    Attributes:
        role: ``positive``, or ``negative`` for twins, of which each one called stolen is accused wrongly.
        models: number of models in the group.
        called_stolen: number of models that score at or above the threshold.
        mean: mean of the scores, in [0, 1].
        minimum: lowest score, in [0, 1].
        maximum: highest score, in [0, 1].
    """

    role: Role
    models: int
    called_stolen: int
    mean: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class ExtendedEvaluation:
    """Metrics of one scheme on FingerBench+.

    Attributes:
        groups: scores of each group by its name.
        aruc_twins: ARUC of FingerBench's positives against the twins, or ``None`` if there are no twins.
    """

    groups: Mapping[str, Group]
    aruc_twins: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """Nested plain values, in the form that ``dvc metrics`` shows."""
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
        table: scores of all suspects in [0, 1], high for stolen.
        threshold: threshold in [0, 1]; a suspect at or above it is called stolen.
        resamples: number of resamples of the bootstrap, at least 1.
        confidence: confidence of the interval, in (0, 1).
        seed: seed of the resampling.

    Raises:
        ConfigError: there are twins and no positive suspect, or a setting is out of range.
    """
    by_group: dict[str, list[Score]] = {}
    for row in table.select(pool="plus").rows:
        by_group.setdefault(EXTENDED_GROUPS[row.attack], []).append(row)
    twins = [row.score for row in by_group.get("twin", [])]  # each is a lineage of its own
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
