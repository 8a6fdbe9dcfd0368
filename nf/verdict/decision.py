"""The verdict: a score against a threshold that was chosen before the suspect was queried."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nf.core.answers import Answers
from nf.core.errors import SuspectError
from nf.core.queries import Measure, QuerySet
from nf.verdict.calibration import Calibration
from nf.verdict.card import scheme_of, threshold_of


@dataclass(frozen=True)
class Verdict:
    """What is claimed of one suspect.

    Attributes:
        scheme: name of the scheme that made the query set, from its card.
        measure: kind of the score: ``matching rate``, the share of queries answered like a stolen model, or
            ``verifier``, a verifier's probability of "stolen".
        score: score of the suspect, in [0, 1].
        threshold: threshold in [0, 1] from the query set's card, chosen on training models only.
        stolen: whether the score reaches the threshold.
        one_hot: whether a verifier that takes probabilities was given labels instead.
        queries: number of images that the suspect answered.
        query_set_digest: digest of the query set (``QuerySet.digest``).
        calibration: error rates of such verdicts, or ``None`` where the benchmark has not been run; also ``None`` if
            ``one_hot``, as the benchmark's suspects give probabilities.
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
    """Decide whether a suspect was stolen.

    Args:
        answers: answers of the suspect, from ``nf.suspects.ask``.
        queries: query set, whose card holds ``scheme`` and ``threshold``.
        calibration: error rates of these queries, from ``nf.verdict.load_calibration``.

    Raises:
        SuspectError: the answers do not fit the queries, or give no score.
        ArtifactError: the card has no scheme or usable threshold; ``check_card`` says so beforehand.
    """
    scheme, threshold = scheme_of(queries), threshold_of(queries)
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
