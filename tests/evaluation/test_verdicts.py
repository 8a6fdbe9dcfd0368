"""What verdicts come to on suspects of known origin, counted by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nf.core.answers import Answers, AnswerTable
from nf.core.calibration import Calibration, CalibrationModel, Levels, Look
from nf.core.errors import ArtifactError, ConfigError
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.evaluation import calibrated_table, count_verdicts, judge
from nf.verdict import Found


def calibrated_queries():
    """Eight queries whose score in log odds is the number of matches less 3; honest models lie at -3, twins near 1."""
    models, held_out = [], []
    for group, mean in (("thief", 5.0), ("independent", -3.0), ("twin", 1.0)):
        models += [CalibrationModel(f"{group}-{i}", group, "train", f"{group}-{i}") for i in range(10)]
        held_out += [mean + (i - 4.5) / 10 for i in range(10)]
    made = Calibration(tuple(models), (Look(8, (1.0,) * 8, -3.0, tuple(held_out)),), Levels(0.01, 0.05), 9, 5)
    card = {"scheme": "s", "threshold": 0.5}
    return QuerySet(np.zeros((8, 1, 2, 2), np.uint8), np.arange(8), np.full(8, -1), card, calibration=made)


SUSPECTS = (  # name, pool, role, attack, matches
    ("source", "suspects", "positive", "train", 8),
    ("prune", "suspects", "positive", "prune", 4),
    ("noise", "suspects", "positive", "noise", 0),
    ("mirror", "suspects", "negative", "train", 0),
    ("unlucky", "suspects", "negative", "knockoff", 4),
    ("twin", "plus", "negative", "train", 8),
    ("other-twin", "plus", "negative", "train", 4),
    ("compressed", "plus", "positive", "compress", 8),
    ("training", "training", "positive", "train", 0),
)


def judged(queries):
    rows, answers = [], {}
    for name, pool, role, attack, matches in SUSPECTS:
        rows.append(Score(name, pool, role, attack, "", "a", "", matches / 8, 8, name))
        answers[name] = Answers(np.where(np.arange(8) < matches, queries.labels, -1))
    return judge(ScoreTable(tuple(rows)), AnswerTable(answers), queries)


def test_verdicts_are_counted_by_group_and_kind():
    found = count_verdicts(judged(calibrated_queries()))
    assert found.levels == Levels(0.01, 0.05)
    assert found.independent_accused == Proportion(1, 2, (1, 2))
    assert found.trained_accused == Proportion(
        1, 2, (1, 2)
    )  # that both are accused of either is the second outcome's right
    assert found.missed == Proportion(1, 3)
    assert found.not_called_stolen == Proportion(2, 3)
    assert found.thieves == {"train": Found(1, 1, 1), "prune": Found(1, 1, 0), "noise": Found(1, 0, 0)}
    assert found.honest == {"train": Found(1, 0, 0), "knockoff": Found(1, 1, 0), "twin": Found(2, 2, 1)}
    record = json.loads(json.dumps(found.to_json()))
    assert record["levels"] == {"independent": 0.01, "trained": 0.05}
    assert record["thieves"]["prune"] == {"suspects": 1, "accused": 1, "stolen": 0}
    assert (record["missed"]["count"], record["missed"]["total"]) == (1, 3)


def test_without_calibration_there_is_no_level_and_no_second_score():
    found = judged(replace(calibrated_queries(), calibration=None))
    assert calibrated_table(found) is None
    counts = count_verdicts(found)
    assert (counts.levels, counts.not_called_stolen) == (None, Proportion(3, 3))
    assert (counts.missed, counts.independent_accused) == (Proportion(1, 3), Proportion(1, 2, (1, 2)))


def test_honest_models_of_one_lineage_are_no_independent_witnesses():
    found = judged(calibrated_queries())
    alike = [replace(each, row=replace(each.row, lineage="mirror")) for each in found]
    rate = count_verdicts(alike).independent_accused
    assert (rate.count, rate.total, rate.lineages) == (1, 2, (1, 1))
    assert rate.interval()[1] == 1.0
    none = Proportion.of((False, "mirror" if number < 63 else f"other-{number % 14}") for number in range(91))
    assert str(none) == "0 of 91, 0 of 15 lineages (95 % interval 0.0% to 21.8%)"
    assert Proportion.from_json(none.to_json()) == none
    each = Proportion.of((True, f"{number % 15}") for number in range(91))
    assert each.interval() == (pytest.approx(0.7820, abs=1e-4), 1.0)
    one_of_each = Proportion.of((number < 15, f"{number % 15}") for number in range(91))
    low, high = one_of_each.interval()
    assert low < 15 / 91 < high


def test_without_suspects_of_both_kinds_there_is_nothing_to_count():
    for role in ("positive", "negative"):
        some = [each for each in judged(calibrated_queries()) if each.row.role == role]
        with pytest.raises(ConfigError, match="expected positive and negative suspects"):
            count_verdicts(some)


def test_without_twins_nothing_is_said_of_them():
    paper = [each for each in judged(calibrated_queries()) if each.row.pool != "plus"]
    counts = count_verdicts(paper)
    assert counts.trained_accused is None
    assert counts.to_json()["trained_accused"] is None
    assert "twin" not in counts.honest


def test_the_second_table_has_calibrated_scores_in_the_same_order():
    table = calibrated_table(judged(calibrated_queries()))
    assert [row.suspect for row in table.rows] == [name for name, *_ in SUSPECTS]
    assert table.values == pytest.approx([1 / (1 + np.exp(3 - matches)) for *_, matches in SUSPECTS])


def test_missing_answers_are_named():
    table = ScoreTable((Score("a", "suspects", "positive", "train", "", "a", "", 1.0, 8),))
    with pytest.raises(ArtifactError, match="expected the answers of a, got none; run `nf score SCHEME` again"):
        judge(table, AnswerTable({}), calibrated_queries())
