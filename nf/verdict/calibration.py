"""Calibration: how often verdicts with one query set were wrong on suspects whose origin is known."""

from dataclasses import dataclass
from pathlib import Path

from nf.core.errors import ArtifactError
from nf.core.files import read_json
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.verdict.card import threshold_of


@dataclass(frozen=True)
class Calibration:
    """How often verdicts with one query set and threshold were wrong on the benchmark's suspects.

    Attributes:
        false_accusation: independent models that were called stolen, out of all independent models.
        miss: stolen models that were called honest, out of all stolen models.
    """

    false_accusation: Proportion
    miss: Proportion


def load_calibration(path: Path, queries: QuerySet) -> Calibration:
    """Read the error rates of ``queries`` at their threshold from the metrics of their scheme.

    Args:
        path: file ``metrics/<scheme>.json``, of which ``query_set``, ``threshold`` and ``at_threshold`` are read.
        queries: query set that the verdict is taken with.

    Raises:
        ArtifactError: the file is missing or no metrics, or was made with other queries or at another threshold.
    """
    record = read_json(path)
    for name, expected in (("query_set", queries.digest), ("threshold", threshold_of(queries))):
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
