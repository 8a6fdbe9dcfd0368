"""All metrics of one scheme from its score table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from nf.core.errors import ConfigError
from nf.core.scores import ScoreTable
from nf.core.seeds import derive_seed
from nf.evaluation.aruc import aruc
from nf.evaluation.intervals import Estimate, Interval, Sample, Statistic, estimate
from nf.evaluation.margins import MarginSummary, margins, summarise
from nf.evaluation.roc import perfect_range, roc_auc, tpr_at_fpr


@dataclass(frozen=True)
class Errors:
    """Wrong verdicts at the threshold; a suspect is called stolen if its score is at least the threshold.

    Attributes:
        false_positives: number of independent suspects that are called stolen.
        negatives: number of independent suspects.
        false_negatives: number of stolen suspects that are not called stolen.
        positives: number of stolen suspects.
    """

    false_positives: int
    negatives: int
    false_negatives: int
    positives: int


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one scheme on the suspects.

    Attributes:
        scheme: name of the scheme.
        query_set: digest of the query set that the suspects answered.
        threshold: threshold of the verdict in [0, 1], chosen on training models.
        confidence: confidence of all intervals, in (0, 1).
        aruc: area under the robustness-uniqueness curves, in [0, 1].
        roc_auc: area under the ROC curve, in [0, 1].
        tpr_at_fpr_0: share of positives that are recognised if no negative may be accused.
        tpr_at_fpr_1: share of positives that are recognised if one in a hundred negatives may be accused.
        perfect_range: interval of thresholds without any error, or ``None`` if there is none.
        at_threshold: wrong verdicts at ``threshold``.
        mean_positive: mean score of positives, in [0, 1].
        mean_negative: mean score of negatives, in [0, 1].
        margin: mean, with its interval, and lowest margin by attack.
    """

    scheme: str
    query_set: str
    threshold: float
    confidence: float
    aruc: Estimate
    roc_auc: Estimate
    tpr_at_fpr_0: Estimate
    tpr_at_fpr_1: Estimate
    perfect_range: Interval | None
    at_threshold: Errors
    mean_positive: float
    mean_negative: float
    margin: Mapping[str, MarginSummary]

    def to_json(self) -> dict[str, Any]:
        """Nested plain values, in the form that ``dvc metrics`` shows."""
        record: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("scheme", "query_set", "threshold", "confidence", "mean_positive", "mean_negative")
        }
        record |= metrics_json({name: getattr(self, name) for name in _METRICS})
        band = self.perfect_range
        record["perfect_range"] = {
            "low": band.low if band else None,
            "high": band.high if band else None,
            "width": band.high - band.low if band else 0.0,
        }
        record["at_threshold"] = asdict(self.at_threshold)
        record["margin"] = {attack: summary.mean for attack, summary in self.margin.items()}
        record["margin_min"] = {attack: summary.minimum for attack, summary in self.margin.items()}
        known = {attack: summary.interval for attack, summary in self.margin.items() if summary.interval is not None}
        record["margin_low"] = {attack: interval.low for attack, interval in known.items()}
        record["margin_high"] = {attack: interval.high for attack, interval in known.items()}
        return record


def evaluate(
    table: ScoreTable,
    *,
    scheme: str,
    query_set: str,
    threshold: float,
    resamples: int,
    confidence: float,
    seed: int,
) -> Evaluation:
    """Evaluate ``scheme`` on the suspects of ``table``; rows of the training pool are left out of every number.

    Args:
        table: scores of all suspects in [0, 1], high for stolen.
        scheme: name of the scheme.
        query_set: digest of the scheme's query set.
        threshold: threshold in [0, 1]; a suspect at or above it is called stolen.
        resamples: number of resamples of the bootstrap, at least 1.
        confidence: confidence of the intervals, in (0, 1).
        seed: seed of the resampling; each metric derives its own from it.

    Raises:
        ConfigError: there is no positive or no negative suspect, or a score or setting is out of range.
        ArtifactError: the mirror of a positive is missing.
    """
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold: expected a score in [0, 1], got {threshold}")
    suspects = table.select(pool="suspects")
    pos, neg = suspects.select(role="positive").values, suspects.select(role="negative").values
    metrics = measure_table(table, resamples=resamples, confidence=confidence, seed=seed)
    return Evaluation(
        scheme=scheme,
        query_set=query_set,
        threshold=threshold,
        confidence=confidence,
        **metrics,
        perfect_range=perfect_range(pos, neg),
        at_threshold=Errors(
            false_positives=int(np.sum(neg >= threshold)),
            negatives=len(neg),
            false_negatives=int(np.sum(pos < threshold)),
            positives=len(pos),
        ),
        mean_positive=float(np.mean(pos)),
        mean_negative=float(np.mean(neg)),
        margin=summarise(margins(suspects), confidence=confidence),
    )


_METRICS: Mapping[str, Statistic] = {
    "aruc": aruc,
    "roc_auc": roc_auc,
    "tpr_at_fpr_0": partial(tpr_at_fpr, fpr=0.0),
    "tpr_at_fpr_1": partial(tpr_at_fpr, fpr=0.01),
}


def measure_table(table: ScoreTable, *, resamples: int, confidence: float, seed: int) -> dict[str, Estimate]:
    """ARUC, area under the ROC curve, and true positive rates of the suspects of ``table``; arguments as ``evaluate``.

    Intervals hold for other lineages of honest models; thieves all descend from the source, and each counts for itself.
    """
    suspects = table.select(pool="suspects")
    thieves, honest = suspects.select(role="positive"), suspects.select(role="negative")
    sides = Sample(thieves.values), Sample(honest.values, tuple(row.lineage for row in honest.rows))
    return {
        name: estimate(
            statistic,
            *sides,
            resamples=resamples,
            confidence=confidence,
            seed=derive_seed(seed, "bootstrap", name),
        )
        for name, statistic in _METRICS.items()
    }


def metrics_json(metrics: Mapping[str, Estimate]) -> dict[str, float]:
    """Each metric as ``<name>``, ``<name>_low`` and ``<name>_high``."""
    record: dict[str, float] = {}
    for name, metric in metrics.items():
        record |= {name: metric.value, f"{name}_low": metric.interval.low, f"{name}_high": metric.interval.high}
    return record
