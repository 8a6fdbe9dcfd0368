"""What is particular to each rival; what holds for all schemes is in ``test_schemes``."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from nf.core.answers import Answers
from nf.core.errors import ConfigError, NotEnoughQueriesError
from nf.data import to_float
from nf.fingerprints import Task, TrainingModels, make_scheme
from nf.fingerprints.akh import AkhConfig
from nf.fingerprints.ipguard import IPGuardConfig, boundary_loss
from nf.fingerprints.metafinger import MetaFinger, MetaFingerConfig, fingerprint_loss
from nf.fingerprints.metav import MetaVConfig
from nf.models import freeze, weights_hash

IPGUARD = {"candidates": 40, "iterations": 150, "learning_rate": 0.02}


def pixels(queries):
    return to_float(torch.from_numpy(queries.images))


def with_others_of(models: TrainingModels, pool: tuple[nn.Module, ...]) -> TrainingModels:
    return replace(models, positives=pool, negatives=pool[:1], positive_ids=tuple("abc"), negative_ids=("n",))


@pytest.mark.parametrize(
    ("logits", "loss"),
    [
        ([3.0, 1.0, 0.0, -1.0], 3 - (-1) + 2),  # i leads, j is last
        ([1.0, 0.0, 0.0, 2.5], 0.5),  # j leads by 1.5 of 2
        ([1.0, 0.0, 0.0, 3.0], 0.0),  # by all of it
        ([1.0, 4.0, 0.0, 3.5], 3.0),  # another class is above i
    ],
)
def test_the_boundary_loss_by_hand(logits, loss):
    one = torch.tensor([0]), torch.tensor([3]), torch.tensor([2.0])
    assert boundary_loss(torch.tensor([logits]), *one).tolist() == pytest.approx([loss])


@pytest.mark.parametrize("k", [0.5, 2.0])
def test_ipguard_queries_sit_at_the_boundary(models, digits, k):
    """The source prefers the new class by k, the old class comes second; the last step and the bytes may add a bit."""
    small_steps = {"candidates": 40, "iterations": 500, "learning_rate": 0.004, "margins": [k]}
    made = make_scheme("ipguard", small_steps)(models, digits, queries=20, seed=1)
    with torch.no_grad():
        ranked = models.source(pixels(made)).sort(dim=1, descending=True)
    assert ranked.indices[:, 0].tolist() == made.labels.tolist()
    margins = ranked.values[:, 0] - ranked.values[:, 1]
    assert margins.min() > k - 0.1
    assert margins.median() < k + 0.5
    assert made.card["source_score"] == 1.0


def test_ipguard_leads_to_the_least_likely_class(models, digits):
    """Steps are so small that the training image nearest to a query is the one that it started from."""
    section = {"candidates": 20, "iterations": 500, "learning_rate": 0.004, "margins": [0.5]}
    made = make_scheme("ipguard", section)(models, digits, queries=10, seed=1)
    images = to_float(digits.images)
    starts = images[torch.cdist(pixels(made).flatten(1), images.flatten(1)).argmin(dim=1)]
    with torch.no_grad():
        least_likely = models.source(starts).argmin(dim=1)
    assert made.labels.tolist() == least_likely.tolist()


def test_ipguard_uses_the_k_that_separates_training_models_best(models, digits):
    swept = make_scheme("ipguard", {**IPGUARD, "margins": [0.5, 2.0, 500.0]})(models, digits, queries=20, seed=1)
    separations = []
    for k in (0.5, 2.0):
        alone = make_scheme("ipguard", {**IPGUARD, "margins": [k]})(models, digits, queries=20, seed=1)
        scores = alone.card["training_scores"]
        positive, negative = ([scores[f"{pool}{i}"] for i in (1, 2, 3)] for pool in "tn")
        separations.append(np.mean(positive) - np.mean(negative))
        if swept.card["k"] == k:
            assert alone.digest == swept.digest
    assert [row["k"] for row in swept.card["sweep"]] == [0.5, 2.0, 500.0]
    assert [row["separation"] for row in swept.card["sweep"][:2]] == pytest.approx(separations)
    assert swept.card["sweep"][2] == {"k": 500.0, "arrived": 0, "separation": None}
    assert swept.card["k"] == (0.5, 2.0)[int(np.argmax(separations))]


def test_ipguard_says_how_many_arrived(models, digits):
    scheme = make_scheme("ipguard", {**IPGUARD, "margins": [500.0]})
    with pytest.raises(NotEnoughQueriesError, match=r"expected 5 images at the boundary, got \[\(500.0, 0\)\] as"):
        scheme(models, digits, queries=5, seed=1)


def test_metavs_verifier_separates_its_training_models(models, digits):
    """Far better than the labels of the same queries do, which the verifier does not look at."""
    made = make_scheme("metav", {"steps": 60, "image_learning_rate": 0.03})(models, digits, queries=10, seed=1)
    for name, model in models.by_id().items():
        with torch.no_grad():
            answers = Answers.of(model(pixels(made)).numpy(), "logits")
        assert made.score(answers) == pytest.approx(made.card["training_scores"][name])
        assert (made.score(answers) > 0.9) == (name in models.positive_ids)
        assert (made.score(answers) < 0.1) == (name in models.negative_ids)
    assert made.measure == "verifier"


def test_metafinger_keeps_what_the_held_out_models_confirm(models, digits):
    settings = {
        "candidates": 60,
        "epochs": 4,
        "learning_rate": 0.06,
        "held_out": 1,
        "transforms": ["identity", "noise"],
    }
    made = make_scheme("metafinger", settings)(models, digits, queries=10, seed=2)
    held_out = made.card["held_out"]
    assert len(held_out) == len(set(held_out)) == 2
    for name in held_out:
        agrees = models.by_id()[name](pixels(made)).argmax(dim=1) == torch.from_numpy(made.labels)
        assert agrees.all() if name in models.positive_ids else not agrees.any()
    assert made.card["survivors"] >= 10
    assert made.card["candidates"] % 60 == 0


def test_metafinger_does_not_learn_from_the_models_that_it_holds_out(models, digits):
    """Models of which gradients are taken are never those that screen."""
    scheme = make_scheme("metafinger", {"held_out": 1})
    learning, judging, held_out = scheme._split(models, seed=5)
    hashes = {name: weights_hash(freeze(model)) for name, model in models.by_id().items()}
    judges = {weights_hash(model) for pool in (judging.positives, judging.negatives) for model in pool}
    pupils = {weights_hash(model) for pool in (learning.positives, learning.negatives) for model in pool}
    assert len(judges) == 4  # one of each pool, and its shadow
    assert len(pupils) == 8
    assert not judges & pupils
    assert {name for name, digest in hashes.items() if digest in judges} == set(held_out)


def test_metafinger_starts_from_no_image_twice_before_all_had_their_turn(models, digits, monkeypatch):
    started = []

    def watched(self, task, starts, *_) -> torch.Tensor:
        started.append(starts)
        return (starts * 255).round().to(torch.uint8)

    monkeypatch.setattr(MetaFinger, "_optimise", watched)
    section = {"candidates": 500, "max_rounds": 4, "held_out": 1}
    with pytest.raises(NotEnoughQueriesError):
        make_scheme("metafinger", section)(models, digits, queries=len(digits.images) + 1, seed=1)
    assert [len(starts) for starts in started] == [500, 500, len(digits.images) - 1000, 500]
    first_turn, all_images = torch.cat(started[:3]), to_float(digits.images)
    assert torch.equal(*(images.flatten(1).unique(dim=0) for images in (first_turn, all_images)))


def test_metafinger_compares_everyone_with_the_anchor(models, digits):
    images = to_float(digits.images[:5])
    anchor, *positives = models.positives
    loss = fingerprint_loss(images, anchor, positives, models.negatives, alpha=0.5)

    def divergence(pool):
        reference = anchor(images).log_softmax(dim=1)
        each = [functional.kl_div(reference, model(images).softmax(dim=1), reduction="none") for model in pool]
        return torch.stack(each).mean(dim=(0, 2))

    assert torch.allclose(loss, divergence(positives) - 0.5 * divergence(models.negatives), atol=1e-6)


def test_metafinger_needs_models_to_hold_out(models, digits):
    with pytest.raises(ConfigError, match="held_out: expected fewer than the 3 training models of a pool, got 3"):
        make_scheme("metafinger", {"held_out": 3})(models, digits, queries=5, seed=1)
    section = {"candidates": 2, "epochs": 1, "max_rounds": 2, "held_out": 1, "learning_rate": 1e-9}
    with pytest.raises(NotEnoughQueriesError, match=r"expected 50 images .* got \d of 2 rounds of 2; raise candidates"):
        make_scheme("metafinger", section)(models, digits, queries=50, seed=1)


@pytest.mark.parametrize("name", ["akh", "random"])
def test_only_the_source_is_queried(models, digits, small_network, name):
    others = with_others_of(models, tuple(small_network(seed) for seed in (7, 8, 9)))
    scheme = make_scheme(name, {})
    made, again = (scheme(pool, digits, queries=20, seed=1) for pool in (models, others))
    assert made.digest == again.digest
    assert made.labels.tolist() == models.source(pixels(made)).argmax(dim=1).tolist()
    assert (made.negative_labels == -1).all()


def test_akh_takes_the_mistakes_on_test_images_first(models, digits):
    wrong = models.source(to_float(digits.test_images)).argmax(dim=1) != digits.test_labels
    mistakes = {image.numpy().tobytes() for image in digits.test_images[wrong]}
    made = make_scheme("akh", {})(models, digits, queries=len(mistakes) + 5, seed=1)
    assert made.card["mistakes"] == {"test": len(mistakes), "flip": 5, "cutmix": 0}
    assert {image.tobytes() for image in made.images[: len(mistakes)]} == mistakes


class Even(nn.Module):
    """Right wherever the test has one of its pictures or mirrored pictures: every pixel of them is one label."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        nearest = (images.mean(dim=(1, 2, 3)) * 9).round().long().clamp(0, 9)
        return self.scale * functional.one_hot(nearest, 10).float()


def test_akh_mixes_images_where_the_source_makes_too_few_mistakes(models, digits):
    """Plain grey images whose brightness is their label: only a mixture has a brightness of neither of its parts."""
    labels = torch.arange(10).repeat(4)
    grey = (labels / 9 * 255).round().to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 16, 16).contiguous()
    data = replace(digits, test_images=grey, test_labels=labels)
    made = make_scheme("akh", {})(replace(models, source=Even().eval()), data, queries=30, seed=1)
    assert made.card["mistakes"] == {"test": 0, "flip": 0, "cutmix": 30}
    for image, label in zip(made.images, made.labels, strict=True):
        parts = set((np.unique(image) / 255 * 9).round().astype(int))
        assert len(parts) == 2
        assert label not in parts
    none = make_scheme("akh", {"cutmix_rounds": 0})
    with pytest.raises(
        NotEnoughQueriesError, match=r"expected 5 mistakes of the source model, got \{.*raise cutmix_rounds"
    ):
        none(replace(models, source=Even().eval()), data, queries=5, seed=1)


class Odd(Even):
    """Never right."""

    def forward(self, images):
        return super().forward(images).roll(1, dims=1)


def test_akh_asks_no_mistake_twice(models, digits):
    """Grey images are their own mirror images, and a box of no pixel or of all mixes nothing."""
    grey = torch.arange(10, dtype=torch.uint8).mul(28).view(-1, 1, 1, 1).expand(-1, 1, 16, 16).contiguous()
    data = replace(digits, test_images=grey, test_labels=torch.arange(10))
    made = make_scheme("akh", {})(replace(models, source=Odd().eval()), data, queries=200, seed=1)
    assert made.card["mistakes"] == {"test": 10, "flip": 0, "cutmix": 190}
    assert all(len(np.unique(image)) == 2 for image in made.images[10:])


def test_akh_lets_calibration_models_choose_from_so_many_mistakes(models, digits):
    task = Task(models, digits, None, queries=20, seed=1, progress=None)
    assert len(make_scheme("akh", {}).run(task).images) == 20
    assert len(make_scheme("akh", {"choice": "held-out", "candidates": 75}).run(task).images) == 75
    assert len(make_scheme("akh", {"choice": "held-out", "candidates": 5}).run(task).images) == 20


def test_random_draws_test_images_without_replacement(models, digits):
    made = make_scheme("random", {})(models, digits, queries=50, seed=1)
    pool = [image.numpy().tobytes() for image in digits.test_images]
    drawn = [image.tobytes() for image in made.images]
    assert len(set(drawn)) == 50
    assert set(drawn) <= set(pool)
    few = replace(digits, test_images=digits.test_images[:3], test_labels=digits.test_labels[:3])
    with pytest.raises(NotEnoughQueriesError, match="expected at least 4 test images, got 3"):
        make_scheme("random", {})(models, few, queries=4, seed=1)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (IPGuardConfig, {"margins": ()}, r"margins: expected at least one of 0 or more, got \(\)"),
        (IPGuardConfig, {"margins": (1.0, -1.0)}, "margins: expected at least one of 0 or more"),
        (IPGuardConfig, {"iterations": 0}, "iterations: expected at least 1, got 0"),
        (IPGuardConfig, {"learning_rate": 0.0}, "learning_rate: expected a positive number, got 0.0"),
        (MetaVConfig, {"steps": 0}, "steps: expected at least 1, got 0"),
        (MetaVConfig, {"start": 0.0}, "start: expected a positive number, got 0.0"),
        (MetaVConfig, {"hidden": (8, 0)}, r"hidden: expected widths of at least 1, got \(8, 0\)"),
        (MetaVConfig, {"weight_decay": -1.0}, "weight_decay: expected at least 0, got -1.0"),
        (MetaVConfig, {"dropout": 1.0}, "dropout: expected 0 or more and less than 1, got 1.0"),
        (MetaFingerConfig, {"held_out": 0}, "held_out: expected at least 1, got 0"),
        (MetaFingerConfig, {"prune": 1.0}, "prune: expected 0 or more and less than 1, got 1.0"),
        (MetaFingerConfig, {"alpha": -1.0}, "alpha: expected at least 0, got -1.0"),
        (MetaFingerConfig, {"noise_level": 0.0}, "noise_level: expected a positive number, got 0.0"),
        (MetaFingerConfig, {"transforms": ()}, "transforms: expected at least one of identity"),
        (AkhConfig, {"cutmix_rounds": -1}, "cutmix_rounds: expected at least 0, got -1"),
        (AkhConfig, {"candidates": 0}, "candidates: expected at least 1, got 0"),
    ],
)
def test_settings_are_checked(config, values, message):
    with pytest.raises(ValueError, match=message):
        config(**values)
