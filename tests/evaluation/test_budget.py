import numpy as np
import pytest
from sklearn.metrics import roc_curve

from nf.core.answers import Answers, AnswerTable
from nf.core.errors import ArtifactError
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.core.verifier import Verifier
from nf.evaluation.budget import budget_curve

QUERIES, CLASSES = 6, 3


def row(name, pool, role):
    return Score(name, pool, role, "train", "", "resnet18", "", 0.0, QUERIES)


@pytest.fixture
def table():
    names = [(f"{role[0]}{i}", "suspects", role) for role in ("positive", "negative") for i in range(5)]
    names += [
        (f"t-{role}-{i}", "training", role) for role in ("positive", "negative") for i in range(2 + len(role) % 2)
    ]
    return ScoreTable(tuple(row(*name) for name in names))


@pytest.fixture
def queries():
    labels = np.array([0, 1, 2, 0, 1, 2])
    return QuerySet(np.zeros((QUERIES, 1, 4, 4), np.uint8), labels, np.full(QUERIES, -1))


@pytest.fixture
def answers(table, queries):
    """Thieves follow the labels more often than honest models do."""
    random, given = np.random.default_rng(0), {}
    for item in table.rows:
        likely = 0.8 if item.role == "positive" else 0.35
        labels = np.where(random.random(QUERIES) < likely, queries.labels, (queries.labels + 1) % CLASSES)
        noise = random.random((QUERIES, CLASSES)).astype(np.float32)
        mixed = np.eye(CLASSES, dtype=np.float32)[labels] + 0.5 * noise
        given[item.suspect] = Answers(labels, mixed / mixed.sum(axis=1, keepdims=True))
    return AnswerTable(given)


def slow_aruc(positive, negative):
    """Midpoints of a fine grid: no score lies between two of its lines, as all are multiples of 1 / n, n <= 6."""
    grid = (np.arange(60 * 10) + 0.5) / (60 * 10)
    return np.mean([min(np.mean(positive >= t), np.mean(negative < t)) for t in grid])


def slow_tpr(positive, negative):
    rates = roc_curve([1] * len(positive) + [0] * len(negative), [*positive, *negative], drop_intermediate=False)
    return max(tpr for fpr, tpr in zip(rates[0], rates[1], strict=True) if fpr == 0)


def by_role(table, score):
    rows = table.select(pool="suspects").rows
    return (np.array([score(r.suspect) for r in rows if r.role == role]) for role in ("positive", "negative"))


def brute_force(table, order, score_prefix):
    """(queries, 2): each suspect scored anew for every prefix."""
    points = []
    for size in range(1, QUERIES + 1):
        positive, negative = by_role(table, lambda name, size=size: score_prefix(name, order[:size]))
        points.append((slow_aruc(positive, negative), slow_tpr(positive, negative)))
    return np.array(points)


def check(points, table, score_prefix, orders, seed):
    random = np.random.default_rng(seed)
    drawn = [brute_force(table, random.permutation(QUERIES), score_prefix) for _ in range(orders)]
    own = brute_force(table, np.arange(QUERIES), score_prefix)
    assert [p.queries for p in points] == list(range(1, QUERIES + 1))
    found = np.array([(p.aruc, p.tpr_at_fpr_0) for p in points])
    np.testing.assert_allclose(found, own, atol=2e-3)
    means = np.array([(p.aruc_mean, p.tpr_at_fpr_0_mean) for p in points])
    np.testing.assert_allclose(means, np.mean(drawn, axis=0), atol=2e-3)
    spreads = np.array([(p.aruc_std, p.tpr_at_fpr_0_std) for p in points])
    np.testing.assert_allclose(spreads, np.std(drawn, axis=0, ddof=1), atol=2e-3)


def test_matching_rates_of_every_prefix(table, queries, answers):
    def rate(name, prefix):
        return sum(answers[name].labels[i] == queries.labels[i] for i in prefix) / len(prefix)

    points = budget_curve(table, answers, queries, orders=4, seed=7)
    check(points, table, rate, orders=4, seed=7)
    assert points[-1].aruc_std == pytest.approx(0, abs=1e-12)
    assert points[-1].aruc == pytest.approx(points[-1].aruc_mean)


def test_a_verifier_gets_the_mean_training_answer_for_what_was_not_queried(table, queries, answers):
    random = np.random.default_rng(3)
    weights = (random.normal(size=(4, QUERIES * CLASSES)), random.normal(size=(2, 4)))
    verifier = Verifier(
        tuple(w.astype(np.float32) for w in weights), (np.zeros(4, np.float32), np.zeros(2, np.float32))
    )
    carrying = QuerySet(queries.images, queries.labels, queries.negative_labels, {}, verifier)

    def training(role):
        names = [r.suspect for r in table.rows if (r.pool, r.role) == ("training", role)]
        return sum(answers[name].probabilities for name in names) / len(names)

    neutral = (training("positive") + training("negative")) / 2

    def score(name, prefix):
        fed = neutral.copy()
        for i in prefix:
            fed[i] = answers[name].probabilities[i]
        return carrying.score(Answers(fed.argmax(axis=1), fed))

    points = budget_curve(table, answers, carrying, orders=3, seed=1)
    check(points, table, score, orders=3, seed=1)


def test_answers_of_another_run_are_refused(table, queries, answers):
    with pytest.raises(ArtifactError, match=r"expected answers to 6 queries of every model .*'p0'"):
        budget_curve(table, AnswerTable({}), queries, orders=2, seed=0)
    short = AnswerTable({name: Answers(given.labels[:5]) for name, given in answers.answers.items()})
    with pytest.raises(ArtifactError, match="some have none or more or fewer; run `nf score SCHEME` again"):
        budget_curve(table, short, queries, orders=2, seed=0)
    with pytest.raises(ValueError, match="orders: expected at least 2, got 1"):
        budget_curve(table, answers, queries, orders=1, seed=0)
