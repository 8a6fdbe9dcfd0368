"""Stage ``evaluate``: the metrics of a scheme, from its scores."""

import math
from pathlib import Path
from typing import Any

from nf.core.answers import AnswerTable
from nf.core.config import EvaluationConfig
from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import write_sealed
from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable
from nf.core.seeds import derive_seed
from nf.evaluation import (
    aruc,
    budget_curve,
    calibrated_table,
    check_levels,
    count_queries,
    count_verdicts,
    estimate,
    evaluate_extended,
    judge,
    measure_table,
    metrics_json,
    write_plots,
)
from nf.evaluation import evaluate as evaluate_table
from nf.stages.run import Run

_TOLERANCE = 1e-6  # of a verifier that computes on another processor


def evaluate(run: Run, scheme: str) -> Path:
    """Write the metrics of ``scheme`` and the tables behind its plots, and return the path of the metrics.

    The threshold is the one in the query set's card, chosen on training models.

    Raises:
        ArtifactError: the scores, the answers or the query set are missing or damaged, or the scores are not what the
            answers amount to with this query set.
    """
    queries = QuerySet.load(run.layout.fingerprint(scheme))
    table = ScoreTable.load(run.layout.scores(scheme))
    answers = AnswerTable.load(run.layout.answers(scheme))
    _check_scores(scheme, queries, table, answers)
    budget = budget_curve(
        table,
        answers,
        queries,
        orders=run.profile.evaluation.orders,
        seed=derive_seed(run.profile.seed, "budget", scheme),
    )
    write_plots(table, budget, run.layout.plots(scheme))
    path = run.layout.metrics(scheme)
    write_sealed(path, measure(run, scheme, queries, table, answers))
    return path


def _check_scores(scheme: str, queries: QuerySet, table: ScoreTable, answers: AnswerTable) -> None:
    for row in table.rows:
        try:
            score = queries.score(answers[row.suspect])
        except (KeyError, SuspectError):
            score = math.nan
        if not abs(score - row.score) <= _TOLERANCE:
            raise ArtifactError(
                f"expected scores of the query set {queries.digest[:12]}, got those of another for {row.suspect}; run "
                f"`nf score {scheme}`"
            )


def measure(run: Run, scheme: str, queries: QuerySet, table: ScoreTable, answers: AnswerTable) -> dict[str, Any]:
    """All metrics of one query set.

    Of the paper's suspects by the score of ``table``, under ``calibrated`` by the calibrated score, and under
    ``verdicts`` what the verdicts come to; under ``sequential`` the same of verdicts in stages, and the queries that
    these take; of FingerBench+ under ``plus``.
    """
    settings = run.profile.evaluation
    seed = derive_seed(run.profile.seed, "evaluate", scheme)
    evaluation = evaluate_table(
        table,
        scheme=scheme,
        query_set=queries.digest,
        threshold=queries.card["threshold"],
        resamples=settings.resamples,
        confidence=settings.confidence,
        seed=seed,
    )
    extended = evaluate_extended(
        table,
        threshold=queries.card["threshold"],
        resamples=settings.resamples,
        confidence=settings.confidence,
        seed=derive_seed(seed, "bootstrap", "plus"),
    )
    judged = judge(table, answers, queries)
    calibrated = calibrated_table(judged)
    staged = count_queries(table, answers, queries)
    return {
        **evaluation.to_json(),
        "plus": extended.to_json(),
        "calibration": queries.calibration.digest if queries.calibration else None,
        "calibrated": _calibrated(calibrated, settings, derive_seed(seed, "calibrated")) if calibrated else None,
        "verdicts": count_verdicts(judged).to_json(),
        "levels_held_out": (
            {level: rate.to_json() for level, rate in check_levels(queries.calibration).items()}
            if queries.calibration
            else None
        ),
        "sequential": staged.to_json() if staged else None,
    }


def _calibrated(table: ScoreTable, settings: EvaluationConfig, seed: int) -> dict[str, float]:
    """Metrics of the calibrated score."""
    metrics = measure_table(table, resamples=settings.resamples, confidence=settings.confidence, seed=seed)
    twins = [row.score for row in table.select(pool="plus", role="negative").rows]
    if twins:
        stolen = table.select(pool="suspects", role="positive").values
        metrics["aruc_twins"] = estimate(
            aruc,
            stolen,
            twins,
            resamples=settings.resamples,
            confidence=settings.confidence,
            seed=derive_seed(seed, "bootstrap", "twins"),
        )
    return metrics_json(metrics)
