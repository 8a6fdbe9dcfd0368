"""Budget curves: the metrics of a scheme with fewer queries, computed from the answers to all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nf.core.answers import AnswerTable
from nf.core.errors import ArtifactError
from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable
from nf.evaluation.aruc import aruc
from nf.evaluation.roc import tpr_at_fpr

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class BudgetPoint:
    """Metrics of the first ``queries`` queries; all are in [0, 1].

    Attributes:
        queries: number of queries.
        aruc: ARUC of the first queries in the order of the query set.
        tpr_at_fpr_0: TPR at FPR 0 of the first queries in the order of the query set.
        aruc_mean: mean of ARUC over random orders of the queries.
        aruc_std: standard deviation of ARUC over these orders, with n - 1.
        tpr_at_fpr_0_mean: mean of TPR at FPR 0 over these orders.
        tpr_at_fpr_0_std: standard deviation of TPR at FPR 0 over these orders, with n - 1.
    """

    queries: int
    aruc: float
    tpr_at_fpr_0: float
    aruc_mean: float
    aruc_std: float
    tpr_at_fpr_0_mean: float
    tpr_at_fpr_0_std: float


def budget_curve(
    table: ScoreTable, answers: AnswerTable, queries: QuerySet, *, orders: int, seed: int
) -> tuple[BudgetPoint, ...]:
    """ARUC and TPR at FPR 0 of the suspects for 1, 2, ... queries.

    A matching rate over a prefix is the share of matches in it. A verifier takes all queries at once: those beyond the
    prefix count as answered like the average training model, thieves and honest models weighing the same, which speaks
    neither for nor against a suspect. It is not retrained; one made for few queries may do better.

    Args:
        table: score table, which names suspects and training models.
        answers: answers of all models of the table to all queries.
        queries: query set of N queries.
        orders: number of random orders of the queries, at least 2.
        seed: seed of the orders.

    Returns:
        One point for each of 1 to N queries.

    Raises:
        ValueError: fewer than two orders.
        ArtifactError: the answers are not those of the table's models to these queries.
        ConfigError: there is no positive or no negative suspect.
    """
    if orders < 2:
        raise ValueError(f"orders: expected at least 2, got {orders}")
    missing = [row.suspect for row in table.rows if row.suspect not in answers.answers]
    if missing or any(len(given) != len(queries) for given in answers.answers.values()):
        raise ArtifactError(
            f"expected answers to {len(queries)} queries of every model in the score table, {missing[:3] or 'some'} "
            "have none or more or fewer; run `nf score SCHEME` again"
        )
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(len(queries)) for _ in range(orders)]
    positive = np.array([row.role == "positive" for row in table.select(pool="suspects").rows])

    def measure(order: NDArray[np.int64]) -> NDArray[np.float64]:
        scores = _prefix_scores(table, answers, queries, order)
        return np.array([(aruc(s[positive], s[~positive]), tpr_at_fpr(s[positive], s[~positive], 0.0)) for s in scores])

    own = measure(np.arange(len(queries)))
    others = np.array([measure(order) for order in drawn])
    mean, spread = others.mean(axis=0), others.std(axis=0, ddof=1)
    columns = (own[:, 0], own[:, 1], mean[:, 0], spread[:, 0], mean[:, 1], spread[:, 1])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(BudgetPoint(count, *row) for count, row in enumerate(rows, start=1))


def _prefix_scores(
    table: ScoreTable, answers: AnswerTable, queries: QuerySet, order: NDArray[np.int64]
) -> Iterator[Scores]:
    """(suspects,) scores for 1, 2, ... queries, taken in ``order``."""
    suspects = [answers[row.suspect] for row in table.select(pool="suspects").rows]
    if queries.verifier is None:
        matches = np.array([given.labels == queries.labels for given in suspects])[:, order]
        yield from (matches.cumsum(axis=1) / np.arange(1, len(queries) + 1)).T
        return
    classes = queries.verifier.inputs // len(queries)
    given = np.array([answer.as_probabilities(classes) for answer in suspects])
    revealed = np.broadcast_to(_neutral(table, answers, classes), given.shape).copy()
    for query in order:
        revealed[:, query] = given[:, query]
        yield queries.verifier(revealed)


def _neutral(table: ScoreTable, answers: AnswerTable, classes: int) -> NDArray[np.float32]:
    """(N, classes) mean answers of the training models, both roles weighing the same."""
    means = [
        np.mean([answers[row.suspect].as_probabilities(classes) for row in rows], axis=0)
        for rows in (table.select(pool="training", role=role).rows for role in ("positive", "negative"))
    ]
    neutral: NDArray[np.float32] = np.mean(means, axis=0).astype(np.float32)
    return neutral
