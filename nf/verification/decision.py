"""The verdict: a matching rate against a threshold that was chosen before the suspect was seen."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nf.core.errors import ArtifactError
from nf.core.files import read_json
from nf.core.queries import QuerySet
from nf.verification.proportions import Proportion


@dataclass(frozen=True)
class Calibration:
    """How often verdicts with one query set and threshold were wrong on the benchmark's suspects.

    Attributes:
        false_accusation: honest models called stolen.
        miss: stolen models called honest.
    """

    false_accusation: Proportion
    miss: Proportion


@dataclass(frozen=True)
class Verdict:
    """What is claimed of one suspect.

    Attributes:
        scheme: that made the query set.
        matching_rate: share in [0, 1] of queries answered like a stolen model.
        threshold: in [0, 1], from the query set's card; chosen on training models only.
        stolen: whether the rate reaches the threshold.
        queries: number of images asked.
        query_set_digest: SHA-256 of the images and labels.
        calibration: error rates of such verdicts, where the benchmark has been run.
    """

    scheme: str
    matching_rate: float
    threshold: float
    stolen: bool
    queries: int
    query_set_digest: str
    calibration: Calibration | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; the rates of the calibration come with their 95 % Clopper-Pearson intervals."""
        known = self.calibration
        rates = {name: getattr(known, name).to_json() for name in ("false_accusation", "miss")} if known else None
        return {**asdict(self), "calibration": rates}


def decide(rate: float, queries: QuerySet, calibration: Calibration | None = None) -> Verdict:
    """The verdict on a suspect that answered ``queries`` with the matching rate ``rate``.

    Args:
        rate: in [0, 1].
        queries: their card holds ``scheme`` and ``threshold``.
        calibration: of these queries; see ``load_calibration``.

    Raises:
        ValueError: the rate is out of range.
        ArtifactError: the card has no scheme or usable threshold.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate: expected a share in [0, 1], got {rate}")
    threshold = _threshold(queries)
    return Verdict(
        scheme=str(queries.card.get("scheme", "")),
        matching_rate=rate,
        threshold=threshold,
        stolen=rate >= threshold,
        queries=len(queries),
        query_set_digest=queries.digest,
        calibration=calibration,
    )


def load_calibration(path: Path, queries: QuerySet) -> Calibration:
    """Read the error rates of ``queries`` at their threshold from the metrics of their scheme.

    Args:
        path: ``metrics/<scheme>.json``, of which ``query_set``, ``threshold`` and ``at_threshold`` are read.
        queries: that the verdict is taken with.

    Raises:
        ArtifactError: the file is missing or no metrics, or was made with other queries or at another threshold.
    """
    record = read_json(path)
    for name, expected in (("query_set", queries.digest), ("threshold", _threshold(queries))):
        if record.get(name) != expected:
            raise ArtifactError(
                f"{path}: expected the {name} {expected}, got {record.get(name)}; evaluate these queries first"
            )
    try:
        errors = record["at_threshold"]
        return Calibration(
            false_accusation=Proportion(errors["false_positives"], errors["negatives"]),
            miss=Proportion(errors["false_negatives"], errors["positives"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: expected counts of errors under 'at_threshold', got {error!r}") from error


def _threshold(queries: QuerySet) -> float:
    threshold = queries.card.get("threshold")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise ArtifactError(f"the query set's card: expected a threshold in [0, 1], got {threshold!r}")
    return float(threshold)
