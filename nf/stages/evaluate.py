"""Stage ``evaluate``: what a scheme's scores amount to."""

from pathlib import Path

from nf.core.answers import AnswerTable
from nf.core.files import write_json
from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable
from nf.core.seeds import derive_seed
from nf.evaluation import budget_curve
from nf.evaluation import evaluate as evaluate_table
from nf.evaluation.plots import write_plots
from nf.stages.run import Run


def evaluate(run: Run, scheme: str) -> Path:
    """Write the metrics of ``scheme`` and the tables behind its plots, and return the path of the metrics.

    The threshold is the one in the query set's card, chosen on training models.

    Raises:
        ArtifactError: the scores, the answers or the query set are missing or damaged.
    """
    queries = QuerySet.load(run.layout.fingerprint(scheme))
    table = ScoreTable.load(run.layout.scores(scheme))
    settings = run.profile.evaluation
    evaluation = evaluate_table(
        table,
        scheme=scheme,
        query_set=queries.digest,
        threshold=queries.card["threshold"],
        resamples=settings.resamples,
        confidence=settings.confidence,
        seed=derive_seed(run.profile.seed, "evaluate", scheme),
    )
    budget = budget_curve(
        table,
        AnswerTable.load(run.layout.answers(scheme)),
        queries,
        orders=settings.orders,
        seed=derive_seed(run.profile.seed, "budget", scheme),
    )
    write_plots(table, budget, run.layout.plots(scheme))
    path = run.layout.metrics(scheme)
    write_json(path, evaluation.to_json())
    return path
