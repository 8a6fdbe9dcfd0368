import importlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

from nf.core.calibration import Levels
from nf.core.config import CalibrationConfig, OwnModelConfig, VariantConfig, VariantsConfig
from nf.core.errors import ConfigError, NotEnoughQueriesError
from nf.core.files import write_json
from nf.core.queries import QuerySet
from nf.core.variants import VariantId
from nf.data import Splits
from nf.models import build_classifier, save_model, weights_hash
from nf.stages.fingerprint import (
    controls_of,
    fingerprint,
    has_query_set,
    make_queries_by,
    training_models,
    warn_of_weak_models,
)
from nf.stages.prepare import prepare
from nf.stages.run import Run
from nf.stages.variant import make_variant

PARAMS = Path(__file__).parents[2] / "params.yaml"
BUILD = {"architecture": "resnet18", "width": 0.0625, "in_channels": 1, "num_classes": 10, "mean": [0], "std": [1]}
NO_QUERIES = np.empty((0, 1, 16, 16), np.uint8)
NEGATIVES = ("scratch-resnet18-t1", "scratch-vgg13_bn-t1")


def test_training_against_twins_needs_some(tmp_path):
    run = Run.open("cifar10-brief", params=PARAMS, out=tmp_path)
    with pytest.raises(ConfigError, match=r"twins: expected some in zoo\.pool\.twins to train against, got none"):
        training_models(run, twins=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The smoke profile with an untrained network in the place of each training model, and what tells them apart."""
    run = Run.open("smoke", params=PARAMS, out=tmp_path_factory.mktemp("out"))
    pool, hashes = run.profile.zoo.pool, {}
    for seed, model_id in enumerate(("source", *pool.positive, *pool.negative, *pool.twins)):
        model = build_classifier(**BUILD, seed=seed)
        save_model(run.layout.zoo / model_id, model, BUILD, {"id": model_id})
        hashes[model_id] = weights_hash(model)
    return run, hashes


@pytest.mark.parametrize(("twins", "more"), [(False, ()), (True, ("twin-resnet18-t1",))])
def test_training_models_are_those_of_the_pool_and_twins_join_the_negatives(built, twins, more):
    run, hashes = built
    models = training_models(run, twins=twins)
    assert models.positive_ids == ("distill-resnet18-source-t1", "distill-vgg13_bn-source-t1")
    assert models.negative_ids == NEGATIVES + more
    for model_id, model in {"source": models.source, **models.by_id()}.items():
        assert weights_hash(model) == hashes[model_id]


@pytest.fixture
def graded(built):
    """Eleven calibration models that get none to ten of ten controls right; those with an even number are thieves."""
    run, _ = built
    prepare(run)
    splits = Splits.load(run.layout.data)
    right = np.arange(11)

    def ask(images):
        known = controls_of(splits, 10, 0, None, NO_QUERIES).labels
        return np.where(np.arange(10) < right[:, None], known, known + 1)

    groups = ["independent" if number % 2 else "thief" for number in right]
    pool = SimpleNamespace(ask=ask, models=[SimpleNamespace(group=group) for group in groups])
    return controls_of(splits, 10, 0, None, NO_QUERIES), controls_of(splits, 10, 0, pool, NO_QUERIES)


def test_calibration_models_say_how_many_controls_are_usual_and_honest_ones_how_many_are_best(graded):
    unknown, known = graded
    assert (unknown.usual, unknown.best) == (None, None)
    assert (known.usual, known.best) == (1, 9)  # of nine in ten, and of one in ten of 1, 3, 5, 7 and 9


def test_no_control_image_is_a_query(built):
    run, _ = built
    prepare(run)
    splits = Splits.load(run.layout.data)
    test, before = splits["test"].images, controls_of(splits, 64, 0, None, NO_QUERIES)
    queries = np.concatenate([before.images[::2], splits["A"].images[:5]])
    after = controls_of(splits, 64, 0, None, queries)
    asked = {image.tobytes() for image in queries}
    assert len(after) == 64
    assert not any(image.tobytes() in asked for image in after.images)
    assert controls_of(splits, 64, 0, None, splits["A"].images).digest == before.digest
    assert len(controls_of(splits, 64, 0, None, test[3:])) == 3
    with pytest.raises(NotEnoughQueriesError, match="expected test images that are no queries, as controls, got none"):
        controls_of(splits, 64, 0, None, test)


@pytest.mark.parametrize("own", [None, OwnModelConfig("model.onnx")])
@pytest.mark.parametrize("split_off", [False, True])
def test_a_model_of_the_owner_s_may_have_learned_from_a_test_part_that_was_split_off(
    built, graded, monkeypatch, own, split_off
):
    """It and its copies are then right on the control images, where honest models are not."""
    run, _ = built
    splits = replace(Splits.load(run.layout.data), test_split_off=split_off)
    run = replace(run, profile=replace(run.profile, zoo=replace(run.profile.zoo, own=own)))
    queries = QuerySet(splits["A"].images[:2], np.array([0, 1]), np.array([1, 0]), {"scheme": "s", "threshold": 0.5})
    stage = importlib.import_module("nf.stages.fingerprint")
    monkeypatch.setattr(stage.Splits, "load", lambda _: splits)
    monkeypatch.setattr(stage, "_task", lambda *_: MagicMock())
    monkeypatch.setattr(stage, "_made_from", lambda *_: {})
    monkeypatch.setattr(stage, "controls_of", lambda *_: graded[1])
    monkeypatch.setattr(
        stage, "_with_accuracies", lambda known, *_: replace(known, source_accuracy=1.0, honest_accuracy=0.5)
    )
    made = make_queries_by(run, lambda *_, **__: queries, count=2, seed=0).controls
    assert (made.usual, made.honest_accuracy) == (1, 0.5)
    unseen = own is None or not split_off
    assert (made.best, made.source_accuracy) == ((9, 1.0) if unseen else (None, None))
    assert made.floor == (0.6 if unseen else 0.4)  # honest models alone tell how hard the task is
    assert unseen or not made.too_good(len(made), len(made))


@pytest.mark.parametrize(
    ("best", "source", "honest", "warning"),
    [
        (9, None, None, ""),
        (9, 0.9, 0.86, ""),
        (9, 0.9, 0.8, "the better honest calibration models get 80% of the test images right, the source 90%"),
        (4, 0.9, 0.8, "the source gets 9 of 10 control images right, where one in ten"),
    ],
)
def test_honest_models_worse_than_the_source_are_warned_of(graded, caplog, best, source, honest, warning):
    warn_of_weak_models(replace(graded[1], best=best, source_accuracy=source, honest_accuracy=honest))
    assert caplog.text.count("WARNING") == bool(warning)
    assert warning in caplog.text


@pytest.mark.parametrize(("all_models", "asked"), [(False, 2), (True, 4)])
def test_a_variant_may_take_all_training_models_however_few_the_others_take(built, all_models, asked):
    run, _ = built
    prepare(run)
    write_json(run.layout.zoo / "summary.json", {})
    variants = VariantsConfig(queries=3, models=1, each={"own": VariantConfig("random", {}, all_models)})
    made = make_variant(replace(run, profile=replace(run.profile, variants=variants)), VariantId("own", 0))
    assert len(made.queries.card["training_scores"]) == asked
    assert made.record["basis"]["models"] == (None if all_models else 1)


def with_profile(run, **changes):
    return replace(run, profile=replace(run.profile, **changes))


def test_a_query_set_of_other_levels_or_another_number_of_controls_is_not_kept(built, calibrated):
    run, _ = built
    prepare(run)
    run = with_profile(run, queries=3, zoo=replace(run.profile.zoo, calibration=CalibrationConfig()))
    folder = fingerprint(run, "random")
    made = QuerySet.load(folder)
    assert made.card["made_from"]["gans"] == {}
    assert len(made.controls) == 64
    assert has_query_set(run, "random")
    assert has_query_set(with_profile(run, levels=Levels(0.001, 0.001)), "random")  # it states none
    assert not has_query_set(with_profile(run, controls=63), "random")
    everything = with_profile(run, controls=10_000)
    fingerprint(everything, "random")
    assert has_query_set(everything, "random")

    looks = tuple(replace(look, queries=3, weights=look.weights[:3]) for look in calibrated.calibration.looks[:1])
    replace(made, calibration=replace(calibrated.calibration, looks=looks, levels=run.profile.levels)).save(folder)
    assert has_query_set(run, "random")
    assert not has_query_set(with_profile(run, levels=Levels(0.001, 0.001)), "random")
