import json
from dataclasses import replace

import numpy as np

from nf.core.answers import Answers, AnswerTable
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.evaluation import Asked, count_queries

SUSPECTS = (
    ("source", "suspects", "positive", "train", 20),
    ("pruned", "suspects", "positive", "prune", 20),
    ("student", "suspects", "positive", "distill", 0),  # which goes by as independent
    ("other", "suspects", "negative", "train", 0),
    ("twin", "plus", "negative", "train", 8),
)

LIKE_A_TWIN = np.isin(np.arange(20), (3, 5, 6, 9, 11, 13, 15, 17))


def recorded(queries: QuerySet) -> tuple[ScoreTable, AnswerTable]:
    rows, given = [], {}
    for name, pool, role, attack, matches in SUSPECTS:
        rows.append(Score(name, pool, role, attack, "", "resnet18", "", matches / 20, 20, name))
        matched = LIKE_A_TWIN if name == "twin" else np.arange(20) < matches
        given[name] = Answers(np.where(matched, queries.labels, queries.negative_labels))
    return ScoreTable(tuple(rows)), AnswerTable(given)


def test_it_counts_queries_and_errors_by_kind(calibrated: QuerySet) -> None:
    found = count_queries(*recorded(calibrated), calibrated)
    assert found is not None
    assert found.looks == (4, 10, 20)
    assert found.thieves == {"train": Asked(1, 4, 4), "prune": Asked(1, 4, 4), "distill": Asked(1, 4, 4)}
    assert found.honest == {"train": Asked(1, 4, 4), "twin": Asked(1, 20, 20)}
    assert (found.verdicts.missed.count, found.verdicts.missed.total) == (1, 3)
    assert found.verdicts.independent_accused.count == 0
    assert found.verdicts.trained_accused is not None
    assert found.verdicts.trained_accused.count == 0  # called "stolen or trained on your data"
    record = json.loads(json.dumps(found.to_json()))
    assert record["honest"]["twin"] == {"suspects": 1, "mean": 20.0, "most": 20}
    assert record["verdicts"]["thieves"]["distill"] == {"suspects": 1, "accused": 0, "stolen": 0}


def test_a_set_without_calibration_has_nothing_to_count(calibrated: QuerySet) -> None:
    assert count_queries(*recorded(calibrated), replace(calibrated, calibration=None)) is None
