"""Figures are about the query set that they name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nf.core.answers import Answers, AnswerTable
from nf.core.calibration import Calibration, CalibrationModel, Levels, Look
from nf.core.errors import ArtifactError
from nf.core.files import read_json, write_json
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.core.scores import Score, ScoreTable
from nf.stages.compare import comparison_detection
from nf.stages.evaluate import evaluate
from nf.stages.report import scheme_result
from nf.stages.run import Run
from nf.verdict import Found, load_benchmark

PARAMS = Path(__file__).parents[2] / "params.yaml"
ROLES = {"source": "positive", "mirror": "negative"}


@pytest.fixture
def run(tmp_path):
    run = Run.open("smoke", params=PARAMS, out=tmp_path)
    return replace(run, profile=replace(run.profile, queries=8))


@pytest.fixture
def queries(run):
    labels = np.arange(8, dtype=np.int64)
    images = np.arange(8 * 16, dtype=np.uint8).reshape(8, 1, 4, 4)
    card = {"scheme": "random", "threshold": 0.5, "parameters": {"choice": "published"}, "data_hash": {}}
    made = QuerySet(images, labels, labels, card)
    made.save(run.layout.fingerprint("random"))
    answers = {
        name: Answers(np.where(np.arange(8) < right, labels, 9)) for name, right in (("source", 8), ("mirror", 2))
    }
    rows = (Score(name, "suspects", ROLES[name], "train", "", "r", "", made.score(answers[name]), 8) for name in ROLES)
    AnswerTable(answers).save(run.layout.answers("random"))
    ScoreTable(tuple(rows)).save(run.layout.scores("random"))
    return made


def test_scores_of_this_set_are_evaluated(run, queries):
    record = read_json(evaluate(run, "random"))
    assert (record["query_set"], record["aruc"]) == (queries.digest, 0.75)
    assert scheme_result(run, "random").queries.digest == queries.digest
    assert (record["calibration"], record["calibrated"]) == (None, None)
    assert record["verdicts"]["levels"] is None
    assert record["verdicts"]["thieves"] == {"train": {"suspects": 1, "accused": 1, "stolen": 0}}


def test_a_calibrated_set_gets_a_second_score_and_verdicts_at_its_levels(run, queries):
    models = [CalibrationModel(f"h{place}", "independent", "train", f"h{place}") for place in range(10)]
    models += [CalibrationModel(f"t{place}", "twin", "train", f"t{place}") for place in range(10)]
    held_out = tuple(-4.0 + place % 10 / 3 for place in range(20))
    made = Calibration(tuple(models), (Look(8, (1.0,) * 8, -4.0, held_out),), Levels(0.01, 0.05), 9, 5)
    replace(queries, calibration=made).save(run.layout.fingerprint("random"))
    record = read_json(evaluate(run, "random"))
    assert record["calibration"] == made.digest
    assert record["calibrated"]["roc_auc"] == 1.0
    assert record["calibrated"]["roc_auc_low"] < 1.0
    verdicts = record["verdicts"]
    assert verdicts["levels"] == {"independent": 0.01, "trained": 0.05}
    assert verdicts["thieves"] == {"train": {"suspects": 1, "accused": 1, "stolen": 1}}
    assert (verdicts["independent_accused"]["count"], verdicts["trained_accused"]) == (0, None)
    known = load_benchmark(run.layout.metrics("random"), replace(queries, calibration=made))
    assert (known.missed, known.thieves) == (Proportion(0, 1), {"train": Found(1, 1, 1)})


def test_scores_of_another_set_are_refused(run, queries):
    evaluate(run, "random")
    replace(queries, labels=queries.labels[::-1].copy()).save(run.layout.fingerprint("random"))
    with pytest.raises(ArtifactError, match=r"got those of another for source; run `nf score random`"):
        evaluate(run, "random")
    with pytest.raises(
        ArtifactError, match=r"random\.json: expected figures of .*; run `nf score random` and `nf eval"
    ):
        scheme_result(run, "random")


def test_answers_to_more_queries_and_scores_without_answers_are_refused(run, queries):
    half = QuerySet(queries.images[:4], queries.labels[:4], queries.negative_labels[:4], queries.card)
    half.save(run.layout.fingerprint("random"))
    with pytest.raises(ArtifactError, match="got those of another for source"):
        evaluate(run, "random")
    queries.save(run.layout.fingerprint("random"))
    AnswerTable({"source": Answers(queries.labels)}).save(run.layout.answers("random"))
    with pytest.raises(ArtifactError, match="got those of another for mirror"):
        evaluate(run, "random")


def test_detection_of_another_set_is_refused(run, queries):
    write_json(run.layout.data / "card.json", {"hashes": {}})
    evaluate(run, "random")
    write_json(run.layout.detection("random"), {"query_set": queries.digest})
    assert comparison_detection(run) == {"random": {"query_set": queries.digest}}
    write_json(run.layout.detection("random"), {"query_set": "another"})
    with pytest.raises(
        ArtifactError, match=r"expected figures of the query set .*, got those of another; run `nf detect"
    ):
        comparison_detection(run)
