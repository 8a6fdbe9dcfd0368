"""The verdict: a score against a threshold that was chosen before the suspect was seen."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nf.core.answers import Answers
from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import read_json
from nf.core.queries import Measure, QuerySet
from nf.verification.proportions import Proportion

_RESTORE = "restore its folder with `dvc checkout --force FOLDER`"


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
        scheme: that made the query set, from its card.
        measure: what the score is: the share of queries answered like a stolen model, or a verifier's probability.
        score: in [0, 1].
        threshold: in [0, 1], from the query set's card; chosen on training models only.
        stolen: whether the score reaches the threshold.
        one_hot: whether a verifier that wants probabilities had to make do with labels.
        queries: number of images asked.
        query_set_digest: ``QuerySet.digest``.
        calibration: error rates of such verdicts, where the benchmark has been run; never of ``one_hot`` ones, as its
            suspects give probabilities.
    """

    scheme: str
    measure: Measure
    score: float
    threshold: float
    stolen: bool
    one_hot: bool
    queries: int
    query_set_digest: str
    calibration: Calibration | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; the rates of the calibration come with their 95 % Clopper-Pearson intervals."""
        known = self.calibration
        rates = {name: getattr(known, name).to_json() for name in ("false_accusation", "miss")} if known else None
        return {**asdict(self), "calibration": rates}


def decide(answers: Answers, queries: QuerySet, calibration: Calibration | None = None) -> Verdict:
    """The verdict on a suspect that gave ``answers``.

    Args:
        answers: see ``nf.verification.ask``.
        queries: their card holds ``scheme`` and ``threshold``.
        calibration: of these queries; see ``load_calibration``.

    Raises:
        SuspectError: the answers do not fit the queries, or give no score.
        ArtifactError: the card has no scheme or usable threshold; ``check_card`` says so beforehand.
    """
    scheme, threshold = _scheme(queries), _threshold(queries)
    with np.errstate(invalid="ignore", over="ignore"):  # what comes of it is refused below
        score = queries.score(answers)
    if not 0 <= score <= 1:  # NaN reaches no threshold, and would pass for honest
        raise SuspectError(
            f"expected a score in [0, 1], got {score:g}; "
            "check the suspect's answers and the verifier of the query set for NaN and infinity"
        )
    one_hot = queries.verifier is not None and answers.probabilities is None
    return Verdict(
        scheme=scheme,
        measure=queries.measure,
        score=score,
        threshold=threshold,
        stolen=score >= threshold,
        one_hot=one_hot,
        queries=len(queries),
        query_set_digest=queries.digest,
        calibration=None if one_hot else calibration,
    )


def check_card(queries: QuerySet) -> None:
    """Check that ``queries`` allow a verdict: before a suspect is asked, as those that it has seen are spent.

    Raises:
        ArtifactError: the card has no scheme or usable threshold.
    """
    _scheme(queries)
    _threshold(queries)


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


def _scheme(queries: QuerySet) -> str:
    scheme = queries.card.get("scheme")
    if not isinstance(scheme, str) or not scheme:
        raise ArtifactError(f"the query set's card: expected the name of a scheme, got {scheme!r}; {_RESTORE}")
    return scheme


def _threshold(queries: QuerySet) -> float:
    threshold = queries.card.get("threshold")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise ArtifactError(f"the query set's card: expected a threshold in [0, 1], got {threshold!r}; {_RESTORE}")
    return float(threshold)
