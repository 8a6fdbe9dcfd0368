"""The verdict: how surprising a suspect's answers would be for an honest model, against levels chosen beforehand."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nf.core.answers import Answers
from nf.core.calibration import Calibration, Levels, Look, probability
from nf.core.errors import SuspectError
from nf.core.queries import Measure, QuerySet
from nf.verdict.benchmark import Benchmark
from nf.verdict.card import scheme_of, threshold_of
from nf.verdict.levels import PValue, holm, p_value

Outcome = Literal["stolen", "stolen or trained on your data", "not shown"]
OUTCOMES: tuple[Outcome, ...] = ("stolen", "stolen or trained on your data", "not shown")
"""What may come of it, the gravest first."""


@dataclass(frozen=True)
class Verdict:
    """What is claimed of one suspect.

    Attributes:
        outcome: ``stolen``, beyond both levels; ``stolen or trained on your data``, beyond the level over independent
            models only; ``not shown`` otherwise. A set without calibration knows no level, and its threshold does not
            tell thieves from models that learned from the same data: it never says more than the second.
        scheme: name of the scheme that made the query set, from its card.
        measure: kind of the score: ``matching rate``, the share of queries answered like a stolen model, or
            ``verifier``, a verifier's probability of "stolen".
        score: score of the suspect by that measure, in [0, 1].
        threshold: threshold in [0, 1] of that score from the query set's card, chosen on training models.
        calibrated: the calibrated score in [0, 1], or ``None`` without a calibration.
        independent: p-value against independent models, or ``None`` without a calibration.
        trained: p-value against models that learned from the owner's data, or ``None`` where none is known.
        levels: what the p-values are held against, or ``None`` without a calibration.
        one_hot: whether a verifier that takes probabilities was given labels instead.
        queries: number of images that the suspect answered.
        query_set_digest: digest of the query set (``QuerySet.digest``).
        benchmark: wrong and right verdicts of this kind on a zoo, or ``None`` where it has not been asked, or where
            ``one_hot`` holds without a calibration, as the benchmark's suspects give probabilities.
        look_factor: what p-values were multiplied by, as this is one of several looks at the suspect.
        suspects: number of suspects of one run that they were corrected for together (Holm).
    """

    outcome: Outcome
    scheme: str
    measure: Measure
    score: float
    threshold: float
    calibrated: float | None
    independent: PValue | None
    trained: PValue | None
    levels: Levels | None
    one_hot: bool
    queries: int
    query_set_digest: str
    benchmark: Benchmark | None = None
    look_factor: int = 1
    suspects: int = 1

    @property
    def stolen(self) -> bool:
        """Whether the outcome is ``stolen``."""
        return self.outcome == "stolen"

    @property
    def accused(self) -> bool:
        """Whether the outcome is anything but ``not shown``."""
        return self.outcome != "not shown"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        known = self.benchmark
        return {**asdict(self), "stolen": self.stolen, "benchmark": None if known is None else known.to_json()}


def decide(answers: Answers, queries: QuerySet, benchmark: Benchmark | None = None) -> Verdict:
    """Decide whether a suspect was stolen.

    Args:
        answers: answers of the suspect, from ``nf.suspects.ask``.
        queries: query set, whose card holds ``scheme`` and ``threshold``.
        benchmark: wrong verdicts with these queries on a zoo, from ``nf.verdict.load_benchmark``.

    Raises:
        SuspectError: the answers do not fit the queries, or give no score.
        ArtifactError: the card has no scheme or usable threshold; ``check_card`` says so beforehand.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # what comes of it is refused below
        score = queries.score(answers)
    if not 0 <= score <= 1:  # NaN reaches no threshold, and would pass for honest
        raise SuspectError(
            f"expected a score in [0, 1], got {score:g}; "
            "check the suspect's answers and the verifier of the query set for NaN and infinity"
        )
    known = queries.calibration
    one_hot = queries.verifier is not None and answers.probabilities is None
    kept = None if one_hot and known is None else benchmark
    plain = by_threshold(score, len(queries), queries, one_hot=one_hot, benchmark=kept)
    if known is None:
        return plain
    return calibrated(plain, known, known.full, answers.labels == queries.labels)


def by_threshold(
    score: float, asked: int, queries: QuerySet, *, one_hot: bool = False, benchmark: Benchmark | None = None
) -> Verdict:
    """The verdict by the threshold alone, which knows no level.

    Args:
        score: score of the suspect in [0, 1].
        asked: number of queries that it answered.
        queries: query set, whose card holds ``scheme`` and ``threshold``.
        one_hot: whether a verifier that takes probabilities was given labels.
        benchmark: wrong verdicts with these queries on a zoo.

    Raises:
        ArtifactError: the card has no scheme or usable threshold.
    """
    threshold = threshold_of(queries)
    return Verdict(
        outcome=OUTCOMES[1] if score >= threshold else OUTCOMES[2],
        scheme=scheme_of(queries),
        measure=queries.measure,
        score=score,
        threshold=threshold,
        calibrated=None,
        independent=None,
        trained=None,
        levels=None,
        one_hot=one_hot,
        queries=asked,
        query_set_digest=queries.digest,
        benchmark=benchmark,
    )


def calibrated(plain: Verdict, known: Calibration, look: Look, matches: NDArray[np.bool_]) -> Verdict:
    """The verdict ``plain`` with calibrated score, p-values and the outcome that follows from them.

    Args:
        plain: verdict by the threshold alone.
        known: calibration of the query set.
        look: score of the queries that were asked.
        matches: (N,) whether each query was answered like a thief, with N >= ``look.queries``.
    """
    log_odds = float(look.log_odds(matches))
    independent = p_value(log_odds, look, known, "independent")
    trained = p_value(log_odds, look, known, "twin")
    return replace(
        plain,
        outcome=outcome(independent, trained, known.levels),
        calibrated=float(probability(log_odds)),
        independent=independent,
        trained=trained,
        levels=known.levels,
    )


def for_look(verdict: Verdict, factor: int) -> Verdict:
    """``verdict`` with p-values times ``factor``, one over the look's share of the level (Bonferroni)."""
    if verdict.levels is None:
        return verdict
    independent, trained = (
        None if found is None else found.corrected(min(1.0, found.value * factor))
        for found in (verdict.independent, verdict.trained)
    )
    found = outcome(independent, trained, verdict.levels)
    return replace(verdict, outcome=found, independent=independent, trained=trained, look_factor=factor)


def corrected_together(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """``verdicts`` of one run with p-values that hold for all of them together (Holm), in their order.

    A level for one suspect does not hold for a folder of them: of a hundred honest models one would be accused.
    """
    known = [place for place, verdict in enumerate(verdicts) if verdict.levels is not None]
    found = list(verdicts)
    if len(known) < 2:
        return found
    for against in ("independent", "trained"):
        values = {place: getattr(verdicts[place], against) for place in known}
        places = [place for place, value in values.items() if value is not None]
        for place, value in zip(places, holm([values[place].value for place in places]), strict=True):
            found[place] = replace(found[place], **{against: values[place].corrected(value)})
    for place in known:
        verdict, levels = found[place], verdicts[place].levels
        assert levels is not None
        result = outcome(verdict.independent, verdict.trained, levels)
        found[place] = replace(verdict, outcome=result, suspects=len(known))
    return found


def corrections(suspects: int, look_factor: int) -> str:
    """What p-values were corrected for (see ``Verdict``), in words; empty if for nothing."""
    reasons = (f"for {suspects} suspects together" if suspects > 1 else "", "for several looks" * (look_factor > 1))
    return " and ".join(filter(None, reasons))


def outcome(independent: PValue | None, trained: PValue | None, levels: Levels) -> Outcome:
    """What p-values show at ``levels``.

    Without models that learned from the owner's data, never ``stolen``. Where these are all the honest models there
    are, their level stands for both: they score higher than models that never saw the data.
    """
    return outcome_of(independent.value if independent else None, trained.value if trained else None, levels)


def outcome_of(independent: float | None, trained: float | None, levels: Levels) -> Outcome:
    """The same of bare p-values in (0, 1], as they are after a correction for several tests."""
    if independent is None and trained is not None:
        return "stolen" if trained <= levels.trained else "not shown"
    if independent is None or independent > levels.independent:
        return "not shown"
    if trained is None or trained > levels.trained:
        return "stolen or trained on your data"
    return "stolen"
