"""Verdicts of a watch list, corrected for the number of its suspects and of the query sets that each was sent.

Whoever asks ten suspects every week would sooner or later accuse an honest one: a level that holds for one verdict
does not hold for hundreds. Corrected p-values hold for the whole list and for all query sets together, also if the
owner looks at them after every set.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nf.monitoring.history import Observation
from nf.verdict import OUTCOMES, Benchmark, Outcome, holm, outcome_of

Against = Literal["independent", "trained"]


@dataclass(frozen=True)
class CorrectedVerdict:
    """What is claimed of one suspect of a watch list.

    Attributes:
        suspect: name of the suspect.
        outcome: what the corrected p-values show, and never more than the newest verdict alone does: a suspect that has
            been replaced by an honest model is let go. Without a calibration it is that of the newest verdict.
        independent: corrected p-value in (0, 1] against independent models, or ``None`` where none is known.
        trained: corrected p-value in (0, 1] against models that learned from the owner's data, or ``None`` where none
            is known.
        query_sets: number of query sets that gave a verdict on the suspect.
        suspects: number of suspects that were corrected for.
        newest: newest verdict on the suspect, with the p-values as they are before correction.
    """

    suspect: str
    outcome: Outcome
    independent: float | None
    trained: float | None
    query_sets: int
    suspects: int
    newest: Observation

    def to_json(self) -> dict[str, Any]:
        """Plain values: the newest verdict, with its own outcome under ``uncorrected`` and p-values twice."""
        newest = self.newest
        return {
            "suspect": self.suspect,
            "outcome": self.outcome,
            "uncorrected": newest.outcome,
            "p_values": {
                "independent": {"raw": newest.independent, "corrected": self.independent},
                "trained": {"raw": newest.trained, "corrected": self.trained},
            },
            "levels": asdict(newest.levels) if newest.levels else None,
            "corrected_for": {"suspects": self.suspects, "query_sets": self.query_sets},
            "calibrated": newest.calibrated,
            "score": newest.score,
            "threshold": newest.threshold,
            "query_set": newest.query_set,
            "at": newest.at,
        }


def correct(histories: Mapping[str, tuple[Observation, ...]]) -> dict[str, CorrectedVerdict]:
    """The corrected verdict on each suspect; one that never gave a verdict is left out.

    Of a suspect, the p-value from its k-th query set is multiplied by k (k + 1), as the inverses of these factors add
    up to 1 however many sets there will be; the smallest product counts, so that what was found stays found. Holm's
    correction over the suspects follows, for each of both kinds of p-values.

    Args:
        histories: observations of each suspect, the oldest first, by the suspect's name.
    """
    verdicts = {name: [each for each in history if each.outcome] for name, history in histories.items()}
    verdicts = {name: given for name, given in verdicts.items() if given}
    independent, trained = _corrected(verdicts, "independent"), _corrected(verdicts, "trained")
    return {
        name: CorrectedVerdict(
            suspect=name,
            outcome=_outcome(given[-1], independent.get(name), trained.get(name)),
            independent=independent.get(name),
            trained=trained.get(name),
            query_sets=len({each.query_set for each in given}),
            suspects=max(len(independent), len(trained)),
            newest=given[-1],
        )
        for name, given in verdicts.items()
    }


def _corrected(verdicts: Mapping[str, list[Observation]], against: Against) -> dict[str, float]:
    found = {name: over_query_sets(given, against) for name, given in verdicts.items()}
    known = {name: value for name, value in found.items() if value is not None}
    return dict(zip(known, holm(list(known.values())), strict=True))


def over_query_sets(verdicts: list[Observation], against: Against) -> float | None:
    """One suspect's p-value over all query sets that it was sent, in (0, 1]; ``None`` where none is known.

    Args:
        verdicts: observations with a verdict, the oldest first; of several with one set the least surprising counts, as
            whoever looks often enough sees an honest suspect that changes answer like a thief once.
        against: models that the p-value is about.
    """
    by_set: dict[str, float | None] = {}  # in the order of the first verdict
    for each in verdicts:
        value, known = getattr(each, against), by_set.get(each.query_set)
        by_set[each.query_set] = value if known is None or value is None else max(value, known)
    products = [value * k * (k + 1) for k, value in enumerate(by_set.values(), start=1) if value is not None]
    return min(1.0, *products) if products else None


def _outcome(newest: Observation, independent: float | None, trained: float | None) -> Outcome:
    alone = newest.outcome or OUTCOMES[-1]
    if newest.levels is None:
        return alone
    return max(alone, outcome_of(independent, trained, newest.levels), key=OUTCOMES.index)


@dataclass(frozen=True)
class Change:
    """A corrected verdict that differs from the one that was last announced.

    Attributes:
        verdict: corrected verdict.
        previous: outcome that was last announced.
        benchmark: known errors of verdicts with the query set of the newest verdict, or ``None`` where none are known.
    """

    verdict: CorrectedVerdict
    previous: Outcome
    benchmark: Benchmark | None = None

    @property
    def suspect(self) -> str:
        """Name of the suspect."""
        return self.verdict.suspect

    def to_json(self) -> dict[str, Any]:
        """Plain values for a message: those of the verdict, ``previous`` and ``benchmark``."""
        known = None if self.benchmark is None else self.benchmark.to_json()
        return {**self.verdict.to_json(), "previous": self.previous, "benchmark": known}


def find_changes(verdicts: Mapping[str, CorrectedVerdict], announced: Mapping[str, Outcome]) -> Iterator[Change]:
    """Find the verdicts that are to be announced.

    Nothing is shown of a suspect until the contrary is announced, and an attempt without a verdict changes nothing.

    Args:
        verdicts: corrected verdicts by the suspect's name.
        announced: outcome that was last announced, by the suspect's name.
    """
    for name, verdict in verdicts.items():
        previous = announced.get(name, OUTCOMES[-1])
        if verdict.outcome != previous:
            yield Change(verdict, previous)
