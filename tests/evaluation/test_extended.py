import pytest

from nf.core.scores import Score, ScoreTable
from nf.evaluation import evaluate_extended


def score(suspect, pool, role, attack, rate):
    return Score(suspect, pool, role, attack, "", "resnet18", "", rate, 100)


TABLE = ScoreTable(
    (
        score("source", "suspects", "positive", "train", 1.0),
        score("prune-0.5-source", "suspects", "positive", "prune", 0.6),
        score("mirror", "suspects", "negative", "train", 0.1),
        score("twin-resnet18-t1", "twins", "negative", "train", 1.0),
        score("twin-resnet18", "plus", "negative", "train", 0.4),
        score("twin-vgg13_bn", "plus", "negative", "train", 0.8),
        score("cross-vgg13_bn", "plus", "positive", "distill", 0.3),
        score("compress-int8-source", "plus", "positive", "compress", 0.9),
        score("defend-jpeg-source", "plus", "positive", "defend", 0.5),
    )
)


def settle(table=TABLE, threshold=0.5):
    return evaluate_extended(table, threshold=threshold, resamples=50, confidence=0.95, seed=0)


def test_groups_are_counted_at_the_threshold_and_training_twins_are_left_out():
    groups = settle().groups
    assert list(groups) == ["twin", "cross-data", "compressed", "defended"]
    twin = groups["twin"]
    assert (twin.role, twin.models, twin.called_stolen) == ("negative", 2, 1)
    assert (twin.mean, twin.minimum, twin.maximum) == (pytest.approx(0.6), 0.4, 0.8)
    assert (groups["cross-data"].role, groups["cross-data"].called_stolen) == ("positive", 0)
    assert groups["defended"].called_stolen == 1  # at the threshold itself


def test_area_is_that_of_the_papers_positives_against_twins():
    """By hand: min(R, U) is 0 up to 0.4, one half up to 0.8 (R = 1 to 0.6, then 1/2; U = 1/2), then R = 1/2."""
    assert settle().aruc_twins.value == pytest.approx(0.5 * 0.6)
    record = settle().to_json()
    assert record["aruc_twins"] == pytest.approx(0.3)
    assert record["aruc_twins_low"] <= 0.3 <= record["aruc_twins_high"]
    assert record["twin"]["called_stolen"] == 1


def test_without_fingerbench_plus_there_is_nothing_to_say():
    paper = ScoreTable(TABLE.select(pool="suspects").rows)
    assert settle(paper).to_json() == {}
