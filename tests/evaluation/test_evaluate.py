import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from nf.core.errors import ArtifactError, ConfigError
from nf.core.scores import Score, ScoreTable
from nf.evaluation import evaluate
from nf.evaluation.aruc import aruc
from nf.evaluation.budget import BudgetPoint
from nf.evaluation.margins import Margin, margins, summarise
from nf.evaluation.plots import write_plots

SETTINGS = {"scheme": "s", "query_set": "digest", "threshold": 0.5, "resamples": 200, "confidence": 0.95, "seed": 1}


def suspect(name, role, attack, score, *, level="", mirror="", pool="suspects"):
    return Score(name, pool, role, attack, level, "resnet18", mirror, score, 100)


@pytest.fixture
def table():
    return ScoreTable(
        (
            suspect("source", "positive", "train", 1.0, mirror="mirror"),
            suspect("mirror", "negative", "train", 0.25),
            suspect("prune-1", "positive", "prune", 0.75, level="0.1", mirror="prune-1-mirror"),
            suspect("prune-1-mirror", "negative", "prune", 0.25, level="0.1"),
            suspect("prune-9", "positive", "prune", 0.25, level="0.9", mirror="prune-9-mirror"),
            suspect("prune-9-mirror", "negative", "prune", 0.5, level="0.9"),
            suspect("independent", "negative", "train", 0.0),
        )
    )


TRAINING = (
    suspect("t-pos", "positive", "train", 0.0, pool="training"),
    suspect("t-neg", "negative", "distill", 1.0, pool="training"),
)


def test_evaluation_agrees_with_the_single_metrics_and_scikit_learn(table):
    result = evaluate(table, **SETTINGS)
    stolen = [row.role == "positive" for row in table.rows]
    assert result.roc_auc.value == pytest.approx(roc_auc_score(stolen, table.values))
    assert result.aruc.value == pytest.approx(float(aruc([1, 0.75, 0.25], [0.25, 0.25, 0.5, 0])))
    (_, false_positives), (false_negatives, _) = confusion_matrix(stolen, table.values >= 0.5)
    errors = result.at_threshold
    assert (errors.false_positives, errors.negatives) == (false_positives, 4) == (1, 4)
    assert (errors.false_negatives, errors.positives) == (false_negatives, 3) == (1, 3)
    assert result.perfect_range is None
    assert result.tpr_at_fpr_0.value == result.tpr_at_fpr_1.value == pytest.approx(2 / 3)
    assert (result.mean_positive, result.mean_negative) == pytest.approx((2 / 3, 0.25))


def test_training_pool_enters_no_metric_and_no_plot(table, tmp_path):
    with_training = ScoreTable(TRAINING + table.rows)
    assert evaluate(with_training, **SETTINGS) == evaluate(table, **SETTINGS)
    write_plots(table, (), tmp_path / "without")
    write_plots(with_training, (), tmp_path / "with")
    for name in ("curves.csv", "rates.csv", "margins.csv"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()


def test_training_pool_alone_is_refused():
    with pytest.raises(ConfigError, match="expected the scores of at least one positive model, got none"):
        evaluate(ScoreTable(TRAINING), **SETTINGS)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_threshold_outside_the_scores_is_refused(table, threshold):
    with pytest.raises(ConfigError, match=r"threshold: expected a score in \[0, 1\], got"):
        evaluate(table, **SETTINGS | {"threshold": threshold})


def test_margins_pair_each_positive_with_its_mirror(table):
    pairs = {pair.suspect: pair for pair in margins(table)}
    assert list(pairs) == ["source", "prune-1", "prune-9"]
    assert pairs["prune-1"].margin == 0.5
    assert pairs["prune-9"].margin == -0.25
    assert (pairs["prune-9"].mirror, pairs["prune-9"].level) == ("prune-9-mirror", "0.9")
    prune = summarise(pairs.values())["prune"]
    assert (prune.mean, prune.minimum, prune.pairs) == (0.125, -0.25, 2)


def test_positive_without_a_mirror_has_no_margin(table):
    alone = replace(table.rows[0], suspect="int8", mirror="")
    assert len(margins(ScoreTable((*table.rows, alone)))) == 3


def test_missing_mirror_is_named(table):
    with pytest.raises(ArtifactError, match="expected 'mirror', the mirror of 'source', in the score table, got none"):
        margins(ScoreTable((table.rows[0],)))


def test_intervals_of_margins_narrow_with_pairs_and_hold_their_mean():
    rng, widths = np.random.default_rng(0), []
    for count in (10, 1000):
        pairs = [Margin("s", "m", "prune", "", "a", 0.5 + value, 0.0) for value in rng.normal(0, 0.1, count)]
        (found,) = summarise(pairs).values()
        assert found.interval.low < found.mean < found.interval.high
        widths.append(found.interval.high - found.interval.low)
    assert widths[1] == pytest.approx(2 * 1.96 * 0.1 / 1000**0.5, rel=0.15)
    assert 5 < widths[0] / widths[1] < 15


def test_json_is_plain_and_keeps_every_number(table):
    result = evaluate(table, **SETTINGS)
    record = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert (record["scheme"], record["query_set"], record["threshold"]) == ("s", "digest", 0.5)
    for name in ("aruc", "roc_auc", "tpr_at_fpr_0", "tpr_at_fpr_1"):
        metric = getattr(result, name)
        assert record[name] == metric.value
        assert (record[f"{name}_low"], record[f"{name}_high"]) == (metric.interval.low, metric.interval.high)
    assert record["at_threshold"] == {"false_positives": 1, "negatives": 4, "false_negatives": 1, "positives": 3}
    assert record["margin"] == {"train": 0.75, "prune": 0.125}
    assert record["margin_min"] == {"train": 0.75, "prune": -0.25}
    assert (record["margin_low"], record["margin_high"]) == ({"prune": -0.25}, {"prune": 0.5})  # two pairs say little
    assert record["perfect_range"] == {"low": None, "high": None, "width": 0.0}


def test_json_states_the_perfect_range_when_there_is_one():
    separated = ScoreTable((suspect("p", "positive", "train", 0.75), suspect("n", "negative", "train", 0.5)))
    record = evaluate(separated, **SETTINGS).to_json()
    assert record["perfect_range"] == {"low": 0.5, "high": 0.75, "width": 0.25}


def test_plots_hold_every_suspect_and_the_area(table, tmp_path):
    points = (BudgetPoint(1, 0.25, 0.5, 0.125, 0.01, 0.5, 0.0),)
    write_plots(table, points, tmp_path)
    assert (tmp_path / "budget.csv").read_text().splitlines()[:-1] == [
        "queries,aruc,tpr_at_fpr_0,aruc_mean,aruc_std,tpr_at_fpr_0_mean,tpr_at_fpr_0_std",
        "1,0.25,0.5,0.125,0.01,0.5,0.0",
    ]

    def read(name):
        with (tmp_path / name).open(newline="") as handle:
            return list(csv.DictReader(handle))

    rates = {row["suspect"]: float(row["rate"]) for row in read("rates.csv")}
    assert rates == {row.suspect: row.score for row in table.rows}
    assert [(row["suspect"], float(row["margin"])) for row in read("margins.csv")][2] == ("prune-9", -0.25)
    steps = read("curves.csv")
    thresholds = np.array([float(row["threshold"]) for row in steps])
    lower = np.array([min(float(row["robustness"]), float(row["uniqueness"])) for row in steps])
    assert np.diff(thresholds) @ lower[1:] == pytest.approx(evaluate(table, **SETTINGS).aruc.value)
