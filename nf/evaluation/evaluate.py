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
from nf.evaluation.intervals import Estimate, Interval, Statistic, estimate
from nf.evaluation.margins import MarginSummary, margins, summarise
from nf.evaluation.roc import perfect_range, roc_auc, tpr_at_fpr


@dataclass(frozen=True)
class Errors:
    """Wrong verdicts at the threshold, and out of how many; stolen if score >= threshold."""

    false_positives: int
    negatives: int
    false_negatives: int
    positives: int


@dataclass(frozen=True)
class Evaluation:
    """What one scheme reaches on the suspects.

    Attributes:
        scheme: name of the scheme.
        query_set: digest of the query set that the suspects were asked.
        threshold: of the verdict, chosen on training models.
        confidence: of all intervals.
        aruc: area under the robustness-uniqueness curves.
        roc_auc: area under the ROC curve.
        tpr_at_fpr_0: recognised share of positives when no negative may be accused.
        tpr_at_fpr_1: likewise when one in a hundred may.
        perfect_range: thresholds without any error, or None.
        at_threshold: wrong verdicts at ``threshold``.
        mean_positive: mean score of positives.
        mean_negative: mean score of negatives.
        margin: by attack.
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
        """Nested plain values; numbers sit where ``dvc metrics`` shows them."""
        record: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("scheme", "query_set", "threshold", "confidence", "mean_positive", "mean_negative")
        }
        for name in ("aruc", "roc_auc", "tpr_at_fpr_0", "tpr_at_fpr_1"):
            metric: Estimate = getattr(self, name)
            record |= {name: metric.value, f"{name}_low": metric.interval.low, f"{name}_high": metric.interval.high}
        band = self.perfect_range
        record["perfect_range"] = {
            "low": band.low if band else None,
            "high": band.high if band else None,
            "width": band.high - band.low if band else 0.0,
        }
        record["at_threshold"] = asdict(self.at_threshold)
        record["margin"] = {attack: summary.mean for attack, summary in self.margin.items()}
        record["margin_min"] = {attack: summary.minimum for attack, summary in self.margin.items()}
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
        table: scores in [0, 1], high = stolen.
        scheme: name of the scheme.
        query_set: digest of its query set.
        threshold: in [0, 1]; a suspect at or above it is called stolen.
        resamples: of the bootstrap.
        confidence: of its intervals, in (0, 1).
        seed: of the resampling; each metric derives its own from it.

    Raises:
        ConfigError: there is no positive or no negative suspect, or a score or setting is out of range.
        ArtifactError: the mirror of a positive is missing.
    """
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold: expected a score in [0, 1], got {threshold}")
    suspects = table.select(pool="suspects")
    pos, neg = suspects.select(role="positive").values, suspects.select(role="negative").values

    def measured(name: str, statistic: Statistic) -> Estimate:
        own_seed = derive_seed(seed, "bootstrap", name)
        return estimate(statistic, pos, neg, resamples=resamples, confidence=confidence, seed=own_seed)

    return Evaluation(
        scheme=scheme,
        query_set=query_set,
        threshold=threshold,
        confidence=confidence,
        aruc=measured("aruc", aruc),
        roc_auc=measured("roc_auc", roc_auc),
        tpr_at_fpr_0=measured("tpr_at_fpr_0", partial(tpr_at_fpr, fpr=0.0)),
        tpr_at_fpr_1=measured("tpr_at_fpr_1", partial(tpr_at_fpr, fpr=0.01)),
        perfect_range=perfect_range(pos, neg),
        at_threshold=Errors(
            false_positives=int(np.sum(neg >= threshold)),
            negatives=len(neg),
            false_negatives=int(np.sum(pos < threshold)),
            positives=len(pos),
        ),
        mean_positive=float(np.mean(pos)),
        mean_negative=float(np.mean(neg)),
        margin=summarise(margins(suspects)),
    )
