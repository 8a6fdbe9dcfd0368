"""Control images in the folder of a query set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nf.core.answers import Answers
from nf.core.controls import Controls, draw_controls
from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import read_json, write_json
from nf.core.queries import QuerySet
from nf.core.thresholds import sense_floor

RNG = np.random.default_rng(0)


@pytest.fixture
def controls() -> Controls:
    images = RNG.integers(0, 256, (6, 1, 4, 4), dtype=np.uint8)
    return Controls(images, np.arange(6) % 3, ("a", "b", "c"), (0.5,), (0.25,))


@pytest.fixture
def queries() -> QuerySet:
    images = RNG.integers(0, 256, (4, 1, 4, 4), dtype=np.uint8)
    return QuerySet(images, np.array([0, 1, 2, 0]), np.array([1, 2, 0, 1]), {"scheme": "s", "threshold": 0.5})


def test_controls_lie_beside_queries_and_change_nothing_of_them(
    queries: QuerySet, controls: Controls, tmp_path: Path
) -> None:
    queries.save(tmp_path / "without")
    with_controls = replace(queries, controls=controls)
    with_controls.save(tmp_path / "with")
    for name in ("queries.safetensors",):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    assert with_controls.digest == queries.digest
    assert read_json(tmp_path / "with" / "card.json")["controls"]["digest"] == controls.digest
    loaded = QuerySet.load(tmp_path / "with").controls
    assert loaded is not None
    np.testing.assert_array_equal(loaded.images, controls.images)
    np.testing.assert_array_equal(loaded.labels, controls.labels)
    assert (loaded.class_names, loaded.mean, loaded.std) == (("a", "b", "c"), (0.5,), (0.25,))
    assert QuerySet.load(tmp_path / "without").controls is None


def test_the_card_keeps_what_calibration_models_got_right(
    queries: QuerySet, controls: Controls, tmp_path: Path
) -> None:
    replace(queries, controls=replace(controls, usual=2, best=5)).save(tmp_path)
    loaded = QuerySet.load(tmp_path).controls
    assert loaded is not None
    assert (loaded.usual, loaded.best) == (2, 5)


@pytest.mark.parametrize(
    ("best", "right", "asked", "too_good"),
    [
        (None, 6, 6, False),
        (3, 5, 6, False),  # 0.5 and two errors of 0.20
        (3, 6, 6, True),
        (3, 60, 100, False),  # 0.5 and two errors of 0.05
        (3, 61, 100, True),
        (6, 6, 6, False),
    ],
)
def test_too_good_is_what_chance_does_not_explain(
    controls: Controls, best: int | None, right: int, asked: int, too_good: bool
) -> None:
    assert replace(controls, best=best).too_good(right, asked) == too_good


def test_controls_that_are_missing_or_others_are_refused(queries: QuerySet, controls: Controls, tmp_path: Path) -> None:
    replace(queries, controls=controls).save(tmp_path)
    replace(controls, labels=controls.labels[::-1].copy()).save(tmp_path)
    with pytest.raises(ArtifactError, match=r"controls\.safetensors does not match the digest in its card; restore"):
        QuerySet.load(tmp_path)
    (tmp_path / "controls.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"controls\.safetensors is missing or damaged .*restore it"):
        QuerySet.load(tmp_path)
    write_json(tmp_path / "card.json", {**read_json(tmp_path / "card.json"), "controls": 3})
    with pytest.raises(ConfigError, match="the card's controls: expected a mapping, got 3"):
        QuerySet.load(tmp_path)


def test_controls_of_another_shape_are_refused(queries: QuerySet) -> None:
    other = Controls(np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match=r"controls: expected images of the queries' shape \(1, 4, 4\), got"):
        replace(queries, controls=other)
    with pytest.raises(ValueError, match=r"controls: expected uint8 \(M, C, H, W\) and int64 \(M,\) with M >= 1"):
        Controls(np.zeros((2, 1, 4, 4), np.uint8), np.zeros(3, np.int64))


def test_any_beginning_of_the_controls_is_balanced() -> None:
    labels = RNG.permutation(np.repeat(np.arange(5), [40, 30, 20, 50, 60]))
    places = draw_controls(labels, 64, seed=1)
    assert len(set(places.tolist())) == 64
    for length in (5, 20, 64):
        counts = np.bincount(labels[places[:length]], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert (draw_controls(labels, 64, seed=1) == places).all()
    assert (draw_controls(labels, 64, seed=2) != places).any()
    assert sorted(draw_controls(labels[:10], 64, seed=1).tolist()) == list(range(10))


@pytest.mark.parametrize("classes", [65, 1000])
def test_chance_says_which_of_many_classes_are_shown(classes: int) -> None:
    labels = np.repeat(np.arange(classes), 5)
    shown = [labels[draw_controls(labels, 64, seed)] for seed in (1, 2)]
    assert all(len(set(each.tolist())) == 64 for each in shown)
    assert set(shown[0].tolist()) != set(shown[1].tolist()) != set(range(64))


def test_as_many_classes_as_controls_or_fewer_keep_the_order_of_their_labels() -> None:
    labels = RNG.permutation(np.repeat(np.arange(10), 30))
    assert labels[draw_controls(labels, 64, seed=1)][:20].tolist() == 2 * list(range(10))
    assert labels[draw_controls(labels, 10, seed=1)].tolist() == list(range(10))


def test_sense_is_the_share_of_either_class(queries: QuerySet) -> None:
    assert queries.sense(Answers(np.array([0, 2, 1, -1]))) == 0.5
    without = replace(queries, negative_labels=np.full(4, -1))
    assert without.sense(Answers(np.array([0, 2, 1, -1]))) == 0.25


def test_the_floor_is_halfway_between_guessing_and_the_worst_training_model() -> None:
    assert sense_floor([1.0, 0.8], 10) == pytest.approx(0.5)
    assert sense_floor([1.0, 1.0], 2) == 1.0
    assert sense_floor([0.1], 10) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="shares: expected at least one score"):
        sense_floor([], 10)
