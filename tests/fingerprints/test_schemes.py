"""What holds for every scheme of the registry, and what the base class holds schemes to."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from PIL import Image

from nf.core.errors import ConfigError, UnknownNameError
from nf.core.queries import QuerySet
from nf.fingerprints import SCHEMES, Draft, Scheme, TrainingModels, make_scheme, sheet
from nf.models.inference import weights_hash

SECTIONS = {
    "naturalfinger": {
        "candidates": 60,
        "epochs": 15,
        "learning_rate": 10.0,
        "transforms": ["identity", "noise", "translate"],
        "strength": {"translation": 1},
        "screen_repeats": 1,
    },
    "ipguard": {"margins": [0.5, 2.0], "candidates": 20, "iterations": 60, "learning_rate": 0.03},
    "metav": {"steps": 30, "image_learning_rate": 0.03, "hidden": [16, 8]},
    "metafinger": {
        "candidates": 50,
        "epochs": 4,
        "learning_rate": 0.06,
        "held_out": 1,
        "transforms": ["identity", "noise", "average_blur"],
    },
    "akh": {},
    "random": {},
}
# The others ask no training model but the source.
LEARNING = ("naturalfinger", "metav", "metafinger")


@pytest.fixture(scope="module", params=SCHEMES)
def scheme(request) -> Scheme:
    return make_scheme(request.param, SECTIONS[request.param])


@pytest.fixture(scope="module")
def queries(scheme, models, digits, gan) -> QuerySet:
    return scheme(models, digits, gan, queries=5, seed=1)


def test_the_budget_and_the_form_of_images_and_labels(queries, digits):
    assert queries.images.shape == (5, *digits.images.shape[1:])
    assert ((queries.labels >= 0) & (queries.labels < digits.num_classes)).all()
    assert ((queries.negative_labels >= -1) & (queries.negative_labels < digits.num_classes)).all()


def test_same_seed_same_bytes_and_card(scheme, queries, models, digits, gan):
    again = scheme(models, digits, gan, queries=5, seed=1)
    assert again.digest == queries.digest
    assert again.card == queries.card


def test_making_queries_moves_no_global_generator(scheme, models, digits, gan):
    before = torch.random.get_rng_state()
    scheme(models, digits, gan, queries=1, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_card_is_a_transcript_that_is_kept_on_disk(scheme, queries, models, tmp_path):
    queries.save(tmp_path)
    card = QuerySet.load(tmp_path).card
    assert card["scheme"] == scheme.name
    assert card["seed"] == 1
    assert card["parameters"] == json.loads(json.dumps(queries.card["parameters"]))
    assert card["models"]["source"] == weights_hash(models.source)
    assert card["models"]["negatives"]["n2"] == weights_hash(models.negatives[1])
    assert set(card["versions"]) == {"torch", "numpy", "nf"}
    assert set(card["training_scores"]) == {"t1", "t2", "t3", "n1", "n2", "n3"}
    assert 0 < card["threshold"] < 1


@pytest.mark.parametrize("scheme", LEARNING, indirect=True)
def test_thieves_match_and_independent_models_do_not(queries):
    rates = queries.card["training_scores"]
    assert min(rates[i] for i in ("t1", "t2", "t3")) > max(rates[i] for i in ("n1", "n2", "n3"))


def test_bad_arguments(scheme, models, digits, gan):
    with pytest.raises(ConfigError, match="queries: expected at least 1, got 0"):
        scheme(models, digits, gan, queries=0, seed=1)
    floats = replace(digits, images=digits.images.float())
    with pytest.raises(ConfigError, match=r"images: expected uint8 \(N, C, H, W\), got torch.float32"):
        scheme(models, floats, gan, queries=5, seed=1)
    with pytest.raises(ConfigError, match=f"{scheme.name}: expected a .*Config, got dict"):
        type(scheme)({})


def test_unknown_scheme_and_unknown_setting():
    with pytest.raises(
        UnknownNameError,
        match="unknown scheme 'psychic': expected one of akh, ipguard, metafinger, metav, naturalfinger, random",
    ):
        make_scheme("psychic", {})
    with pytest.raises(ConfigError, match=r"schemes\.naturalfinger: unknown key 'epoch', expected some of gan"):
        make_scheme("naturalfinger", {"epoch": 3})


def test_training_models_are_checked(models):
    with pytest.raises(ConfigError, match="negative models: expected one id for each of at least one, got 0, 0 ids"):
        replace(models, negatives=(), negative_ids=())
    with pytest.raises(ConfigError, match="positive models: expected one id for each of at least one, got 3, 1 ids"):
        replace(models, positive_ids=("t1",))
    with pytest.raises(ConfigError, match="expected distinct training models, got"):
        replace(models, negative_ids=("t1", "n2", "n3"))


def test_a_model_in_training_mode_is_refused(models, small_network):
    with pytest.raises(ConfigError, match="training model 'n1': expected eval mode, got training mode"):
        TrainingModels(models.source, models.positives, (small_network(0).train(),), models.positive_ids, ("n1",))


@dataclass(frozen=True)
class NoConfig:
    pass


class Constant(Scheme):
    """Returns whatever its test puts into ``draft``."""

    name = "constant"
    Config = NoConfig
    draft: Draft

    def run(self, task):
        return self.draft


def constant(images, labels, negative_labels) -> Constant:
    scheme = Constant(NoConfig())
    scheme.draft = Draft(images, torch.tensor(labels), torch.tensor(negative_labels))
    return scheme


def test_threshold_and_rates_come_from_the_answers_to_the_stored_bytes(models, digits):
    images = digits.test_images[400:404]
    answers = [model(images.float() / 255).argmax(dim=1) for model in models.positives]
    labels = answers[0].tolist()
    card = constant(images, labels, [-1] * 4)(models, digits, queries=4, seed=0).card
    for name, answer in zip(models.positive_ids, answers, strict=True):
        assert card["training_scores"][name] == pytest.approx(np.mean(answer.numpy() == np.array(labels)))
    assert card["gan"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(2, 1, 16, 16)}, r"expected uint8 images \(2, 1, 16, 16\), got torch.float32"),
        ({"images": torch.zeros(3, 1, 16, 16, dtype=torch.uint8)}, r"got torch.uint8 \(3, 1, 16, 16\)"),
        ({"labels": [0, 10]}, r"expected 2 labels in \[0, 10\), got 2 in \[0, 10\]"),
        ({"labels": [0, -1]}, r"expected 2 labels in \[0, 10\), got 2 in \[-1, 0\]"),
        ({"negative_labels": [0, 1, 2]}, r"expected 2 negative_labels in \[-1, 10\), got 3"),
    ],
)
def test_a_scheme_that_breaks_its_promise_is_found_out(models, digits, change, message):
    good = {"images": digits.images[:2], "labels": [0, 1], "negative_labels": [-1, 1]}
    assert len(constant(**good)(models, digits, queries=2, seed=0)) == 2
    with pytest.raises(RuntimeError, match=message):
        constant(**{**good, **change})(models, digits, queries=2, seed=0)


def test_sheet_shows_every_query_with_its_labels(queries, tmp_path):
    names = [str(i) for i in range(10)]
    sheet(tmp_path / "sheet.png", replace(queries, negative_labels=np.arange(5)), names)
    sheet(tmp_path / "blind.png", replace(queries, negative_labels=np.full(5, -1)), names)
    with Image.open(tmp_path / "sheet.png") as picture, Image.open(tmp_path / "blind.png") as blind:
        assert picture.size == blind.size
        assert np.asarray(picture.convert("L")).min() < 50
        assert np.abs(np.asarray(picture, dtype=int) - np.asarray(blind, dtype=int)).max() > 100
