"""Verdicts that stop early: as right as others, at the same levels."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nf.core.answers import Answers
from nf.core.calibration import Calibration, CalibrationModel, Levels, Look
from nf.core.errors import ConfigError, SuspectError
from nf.core.queries import QuerySet
from nf.core.verifier import Verifier
from nf.verdict import StagedVerdict, check_stages, decide, decide_at_look, decide_in_stages
from nf.verdict.levels import p_value

LIKE_A_TWIN = np.isin(np.arange(20), (3, 5, 6, 9, 11, 13, 15, 17))
"""Which queries it matches: one of the first 4, four of the first 10, eight in all."""


def staged(queries: QuerySet, matches: NDArray[np.bool_]) -> tuple[StagedVerdict, list[slice]]:
    """The verdict on a suspect that matches where it does, and the parts that it was asked."""
    labels = np.where(matches, queries.labels, queries.negative_labels)
    parts: list[slice] = []

    def ask(part: slice) -> NDArray[np.int64]:
        parts.append(part)
        return labels[part]

    return decide_in_stages(ask, queries), parts


def test_a_thief_is_found_at_the_first_look(calibrated: QuerySet) -> None:
    found, parts = staged(calibrated, np.ones(20, bool))
    assert (found.verdict.outcome, found.asked, found.looks) == ("stolen", 4, (4, 10, 20))
    assert parts == [slice(0, 4)]
    assert found.verdict.queries == 4


def test_an_independent_model_is_given_up_at_the_first_look(calibrated: QuerySet) -> None:
    found, _ = staged(calibrated, np.zeros(20, bool))
    assert (found.verdict.outcome, found.asked) == ("not shown", 4)


def test_one_that_learned_from_the_data_is_asked_to_the_end(calibrated: QuerySet) -> None:
    found, parts = staged(calibrated, LIKE_A_TWIN)
    assert (found.verdict.outcome, found.asked) == ("stolen or trained on your data", 20)
    assert parts == [slice(0, 4), slice(4, 10), slice(10, 20)]


def test_p_values_are_those_of_the_look_over_its_share_of_the_level(calibrated: QuerySet) -> None:
    known = calibrated.calibration
    assert known is not None
    matches = LIKE_A_TWIN
    found, _ = staged(calibrated, matches)
    single = p_value(float(known.full.log_odds(matches)), known.full, known, "twin")
    assert single is not None
    assert found.verdict.trained is not None
    assert found.verdict.trained.value == pytest.approx(min(1.0, 2 * single.value))
    assert found.verdict.look_factor == 2
    assert staged(calibrated, np.ones(20, bool))[0].verdict.look_factor == 4
    whole = decide(_answers(calibrated, matches), calibrated)
    assert found.verdict.calibrated == whole.calibrated


def _answers(queries: QuerySet, matches: NDArray[np.bool_]) -> Answers:
    return Answers(np.where(matches, queries.labels, queries.negative_labels))


def test_sets_that_cannot_be_judged_in_stages_are_refused(calibrated: QuerySet) -> None:
    with pytest.raises(ConfigError, match="expected a query set with a calibration"):
        check_stages(replace(calibrated, calibration=None))
    verifier = Verifier((np.zeros((2, 60), np.float32),), (np.zeros(2, np.float32),))
    with pytest.raises(ConfigError, match="expected queries that count one by one"):
        check_stages(replace(calibrated, verifier=verifier))


def test_answers_that_are_missing_are_refused(calibrated: QuerySet) -> None:
    with pytest.raises(SuspectError, match="expected answers to 4 queries, got 3"):
        decide_in_stages(lambda part: calibrated.labels[part][:3], calibrated)


def test_a_verdict_is_judged_at_its_looks_alone(calibrated: QuerySet) -> None:
    found, _ = staged(calibrated, np.ones(20, bool))
    assert decide_at_look(calibrated.labels[:4], calibrated) == found.verdict
    with pytest.raises(SuspectError, match="expected answers to 4, 10, 20 queries, got 5"):
        decide_at_look(calibrated.labels[:5], calibrated)


def test_beside_others_more_evidence_is_asked_for(calibrated: QuerySet) -> None:
    alone = decide_in_stages(lambda part: calibrated.labels[part], calibrated)
    assert alone.verdict.independent is not None
    several = math.ceil(0.01 / alone.verdict.independent.value) + 1  # for whom the first look is not enough
    beside = decide_in_stages(lambda part: calibrated.labels[part], calibrated, suspects=several)
    assert alone.asked < beside.asked
    assert beside.verdict.stolen


def random_set(rng: np.random.Generator, chance: float = 0.3) -> QuerySet:
    """A set whose honest calibration models match by chance, in five looks of 50 queries."""
    groups = ("independent", "twin")
    models = tuple(CalibrationModel(f"{g}{i}", g, "train", f"{g}{i}") for g in groups for i in range(30))
    matches = rng.random((60, 50)) < chance
    looks = tuple(
        Look(size, (1.0,) * size, 0.0, tuple(matches[:, :size].sum(axis=1).astype(float)))
        for size in (5, 10, 20, 35, 50)
    )
    calibration = Calibration(models, looks, Levels(0.05, 0.05), candidates=50, folds=5)
    images = np.zeros((50, 1, 2, 2), np.uint8)
    labels = np.zeros(50, np.int64)
    return QuerySet(images, labels, labels + 1, {"scheme": "x", "threshold": 0.5}, None, None, calibration)


def test_honest_models_are_accused_no_oftener_than_the_level_says() -> None:
    """Also though there are five looks: of 600 models 30 are expected at most, and 3 deviations more let through."""
    rng = np.random.default_rng(0)
    accused = sum(staged(random_set(rng), rng.random(50) < 0.3)[0].verdict.accused for _ in range(600))
    assert accused <= 30 + 3 * np.sqrt(600 * 0.05 * 0.95)


def test_a_thief_that_shows_late_is_found_late() -> None:
    rng = np.random.default_rng(1)
    matches = np.arange(50) >= 2
    found, _ = staged(random_set(rng), matches)
    assert found.verdict.stolen
    assert 5 < found.asked < 50
