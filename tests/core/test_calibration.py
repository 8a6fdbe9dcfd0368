"""The calibration of a query set on disk: read as it was written, or refused with what heals it."""

from dataclasses import replace

import numpy as np
import pytest

from nf.core.calibration import Calibration, CalibrationModel, Levels, Look, probability
from nf.core.errors import ArtifactError
from nf.core.files import read_json, write_json
from nf.core.paths import CALIBRATION_FILE
from nf.core.queries import QuerySet

MODELS = (
    CalibrationModel("prune-0.5-source-c1", "thief", "prune", "source"),
    CalibrationModel("scratch-a-c1", "independent", "train", "scratch-a-c1"),
    CalibrationModel("prune-0.5-scratch-a-c1", "independent", "prune", "scratch-a-c1"),
    CalibrationModel("twin-a-c1", "twin", "train", "twin-a-c1"),
)
LOOKS = (
    Look(1, (2.0,), -1.0, (1.0, -1.0, -1.0, -0.5)),
    Look(3, (2.0, 1.0, 0.5), -2.0, (1.5, -2.0, -1.0, 0.25)),
)
MADE = Calibration(MODELS, LOOKS, Levels(0.01, 0.05), candidates=9, folds=5)


def test_what_is_saved_is_loaded(tmp_path):
    MADE.save(tmp_path)
    assert Calibration.load(tmp_path, MADE.digest) == MADE


def test_it_travels_with_its_query_set(tmp_path):
    images = np.zeros((3, 1, 4, 4), np.uint8)
    queries = QuerySet(images, np.arange(3), np.full(3, -1), {"scheme": "akh"}, calibration=MADE)
    queries.save(tmp_path)
    assert QuerySet.load(tmp_path).calibration == MADE
    assert read_json(tmp_path / "card.json")["calibration"] == MADE.digest
    with pytest.raises(ValueError, match="calibration: expected a weight for each of 2 queries, got 3"):
        replace(queries, images=images[:2], labels=np.arange(2), negative_labels=np.full(2, -1))


def test_another_one_is_refused(tmp_path):
    MADE.save(tmp_path)
    with pytest.raises(ArtifactError, match=r"calibration\.json does not match the digest in the card; restore it"):
        Calibration.load(tmp_path, replace(MADE, levels=Levels(0.1, 0.1)).digest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": "none"}, "expected a list"),
        ({"looks": []}, "looks: expected at least one"),
        ({"levels": {"independent": 0.0}}, "independent: expected more than 0 and less than 1, got 0"),
        ({"folds": "five"}, "folds: expected int"),
        ({"extra": 1}, "unknown key 'extra'"),
    ],
)
def test_a_damaged_one_is_refused(tmp_path, change, message):
    MADE.save(tmp_path)
    path = tmp_path / CALIBRATION_FILE
    write_json(path, {**read_json(path), **change})
    with pytest.raises(ArtifactError, match=f"is damaged .*{message}.*; restore it .* or make it again"):
        Calibration.load(tmp_path, MADE.digest)


def test_a_missing_one_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"calibration\.json"):
        Calibration.load(tmp_path, MADE.digest)


@pytest.mark.parametrize(
    ("looks", "message"),
    [
        (LOOKS[::-1], r"each of more queries than the last, got \[3, 1\]"),
        ((), "expected at least one"),
        ((replace(LOOKS[0], held_out=(1.0,)),), "expected a held-out score for each of 4 models"),
    ],
)
def test_looks_grow_and_know_every_model(looks, message):
    with pytest.raises(ValueError, match=message):
        replace(MADE, looks=looks)


def test_a_look_has_a_weight_for_each_query():
    with pytest.raises(ValueError, match="weights: expected one for each of 2 queries, got 1"):
        Look(2, (1.0,), 0.0, ())


@pytest.mark.parametrize("level", [0.0, 1.0, float("nan")])
def test_a_level_is_a_chance(level):
    with pytest.raises(ValueError, match="trained: expected more than 0 and less than 1"):
        Levels(0.01, level)


def test_the_score_adds_up_the_weights_of_matches():
    matches = np.array([[True, False, True], [False, False, False]])
    assert MADE.full.log_odds(matches).tolist() == [0.5, -2.0]
    assert MADE.looks[0].log_odds(matches).tolist() == [1.0, -1.0]  # reads the first query alone


def test_probabilities_of_log_odds():
    assert probability(0.0) == 0.5
    assert probability(np.log(3.0)) == pytest.approx(0.75)
    assert probability(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]


def test_models_are_found_by_group():
    assert MADE.select("independent").tolist() == [1, 2]
    assert MADE.select("twin").tolist() == [3]
