"""A verdict that asks no more queries than it needs, at the levels that were chosen for all of them.

The suspect is judged after the first few queries, after more, and after all: the looks of the calibration. Each look is
a chance to accuse wrongly, so the looks share the level (Bonferroni with weights): half is kept for the last one, whose
evidence is the strongest, and the others have equal parts of the rest. The chance that an honest model is accused at
any of them stays below the level.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nf.core.calibration import Calibration
from nf.core.errors import ConfigError, SuspectError
from nf.core.queries import QuerySet
from nf.verdict.benchmark import Benchmark
from nf.verdict.decision import Verdict, by_threshold, calibrated, for_look

HOPELESS = 0.5
"""The uncorrected p-value against independent models above which asking on is given up; giving up accuses nobody."""


@dataclass(frozen=True)
class StagedVerdict:
    """What came of asking in stages.

    Attributes:
        verdict: verdict by the queries that were asked, with p-values corrected for there being several looks.
        asked: number of queries that were asked.
        looks: numbers of queries after which the suspect might have been judged.
    """

    verdict: Verdict
    asked: int
    looks: tuple[int, ...]


def check_stages(queries: QuerySet) -> Calibration:
    """The calibration of ``queries``, if they allow a verdict in stages; to be called before a suspect is asked.

    Raises:
        ConfigError: they have no calibration, or a verifier that needs the answers to all of them.
    """
    if queries.calibration is None:
        raise ConfigError("sequential: expected a query set with a calibration, which says when the evidence suffices")
    if queries.verifier is not None:
        raise ConfigError("sequential: expected queries that count one by one, got some that a verifier judges at once")
    return queries.calibration


def decide_in_stages(
    ask: Callable[[slice], NDArray[np.int64]],
    queries: QuerySet,
    benchmark: Benchmark | None = None,
    *,
    suspects: int = 1,
) -> StagedVerdict:
    """Ask until the evidence suffices, is hopeless, or there are no more queries.

    Args:
        ask: puts the queries of one slice to the suspect and returns the (n,) int64 labels that it gives.
        queries: query set with a calibration; its looks say after how many queries the suspect may be judged.
        benchmark: wrong verdicts in stages with these queries on a zoo, from ``nf.verdict.load_benchmark``.
        suspects: number of suspects of the run, for whose number the verdict is to be corrected: the evidence suffices
            if it does after that.

    Raises:
        ConfigError: the queries allow no verdict in stages; ``check_stages`` says so beforehand.
        ArtifactError: the card has no scheme or usable threshold.
        SuspectError: there is not one answer for each query.
    """
    known = check_stages(queries)
    looks = tuple(look.queries for look in known.looks)
    labels = np.empty(0, np.int64)
    for stop in looks:
        labels = np.concatenate([labels, ask(slice(len(labels), stop))])
        if len(labels) != stop:
            raise SuspectError(f"expected answers to {stop} queries, got {len(labels)}")
        verdict = decide_at_look(labels, queries, benchmark)
        first = verdict.independent or verdict.trained
        if for_look(verdict, suspects).stolen or first is None or first.alone > HOPELESS:
            break
    return StagedVerdict(verdict, len(labels), looks)


def decide_at_look(labels: NDArray[np.int64], queries: QuerySet, benchmark: Benchmark | None = None) -> Verdict:
    """The verdict after the look at so many answers, with p-values corrected for there being others.

    Args:
        labels: (n,) what the suspect gave for the first n queries, after which there is a look.
        queries: query set with a calibration.
        benchmark: wrong verdicts in stages with these queries on a zoo.

    Raises:
        ConfigError: the queries allow no verdict in stages.
        ArtifactError: the card has no scheme or usable threshold.
        SuspectError: there is no look after so many queries.
    """
    known = check_stages(queries)
    looks = [look.queries for look in known.looks]
    if len(labels) not in looks:
        raise SuspectError(f"expected answers to {', '.join(map(str, looks))} queries, got {len(labels)}")
    place = looks.index(len(labels))
    matches = labels == queries.labels[: len(labels)]
    plain = by_threshold(float(matches.mean()), len(matches), queries, benchmark=benchmark)
    return for_look(calibrated(plain, known, known.looks[place], matches), _factors(len(looks))[place])


def _factors(looks: int) -> list[int]:
    """What p-values of each look are multiplied by: one over its share of the level."""
    return [1] if looks == 1 else [2 * (looks - 1)] * (looks - 1) + [2]
