import itertools
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn

from nf.core.errors import ConfigError, NotEnoughQueriesError
from nf.fingerprints import NaturalFinger, NaturalFingerConfig
from nf.fingerprints.naturalfinger.choose import margin_snr
from nf.fingerprints.naturalfinger.optimise import optimise
from nf.fingerprints.naturalfinger.scheme import next_shortlist
from nf.fingerprints.transforms import Strength

CONFIG = NaturalFingerConfig(
    candidates=60,
    max_rounds=4,
    epochs=20,
    learning_rate=10.0,
    batch_size=64,
    transforms=("identity", "noise", "translate"),
    strength=Strength(translation=1),
    screen_repeats=2,
)


def make(config, models, digits, gan, *, queries=6, seed=1, progress=None):
    return NaturalFinger(config)(models, digits, gan, queries=queries, seed=seed, progress=progress)


class Reshaping(nn.Module):
    """Takes no empty batch, of which -1 could be any size."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images.view(len(images), -1).view_as(images))


@pytest.fixture(scope="module")
def queries(models, digits, gan):
    return make(CONFIG, models, digits, gan)


def test_all_training_models_answer_as_they_should_on_the_stored_bytes(queries, models):
    images = torch.from_numpy(queries.images).float() / 255
    for model in models.positives:
        assert torch.equal(model(images).argmax(dim=1), torch.from_numpy(queries.labels))
    for model in models.negatives:
        assert torch.equal(model(images).argmax(dim=1), torch.from_numpy(queries.negative_labels))
    assert (queries.labels != queries.negative_labels).all()


def test_the_card_tells_the_threshold_and_the_funnel(queries):
    assert queries.card["threshold"] == 0.5
    assert queries.card["training_scores"] == {"t1": 1.0, "t2": 1.0, "t3": 1.0, "n1": 0.0, "n2": 0.0, "n3": 0.0}
    counts = dict(queries.card["funnel"])
    assert list(counts) == [
        "drawn",
        "unanimous",
        "labelled",
        "source",
        "optimised",
        "uint8",
        "identity",
        "noise",
        "translate",
    ]
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert counts["drawn"] % 60 == 0
    assert counts["translate"] >= 6


def test_another_seed_makes_other_queries(queries, models, digits, gan):
    assert make(CONFIG, models, digits, gan, seed=2).digest != queries.digest


def test_of_more_survivors_those_of_the_highest_snr_are_kept_and_their_labels_take_turns(models, digits, gan):
    easy = replace(CONFIG, transforms=("identity",), max_rounds=1, pair_share=1.0)
    more, fewer = (make(easy, models, digits, gan, queries=queries) for queries in (15, 5))
    assert {image.tobytes() for image in fewer.images} < {image.tobytes() for image in more.images}
    assert more.card["funnel"] == fewer.card["funnel"]
    pairs = list(zip(more.labels, more.negative_labels, strict=True))
    turn = len(set(pairs))
    assert len(set(pairs[:turn])) == turn > 1


def test_survivors_are_ranked_as_the_caller_says(models, digits, gan):
    easy = replace(CONFIG, transforms=("identity",), max_rounds=1, pair_share=1.0)
    worst_first = NaturalFinger(easy, ranking=lambda margins: -margin_snr(margins))
    usual, other = (scheme(models, digits, gan, queries=5, seed=1) for scheme in (NaturalFinger(easy), worst_first))
    assert usual.digest != other.digest
    assert usual.card["funnel"] == other.card["funnel"]


@pytest.mark.parametrize(
    ("shortlist", "found", "moved", "expected"),
    [(500, 475, 500, 27), (500, 0, 500, 500), (None, 0, 40, None), (None, 250, 500, 500), (300, 250, 500, 300)],
)
def test_a_further_round_moves_no_more_than_may_be_missing(shortlist, found, moved, expected):
    assert next_shortlist(shortlist, 500, found, moved) == expected


def test_latents_are_moved_by_whom_the_caller_says(models, digits, gan):
    moved = []

    def optimiser(*positional, **named):
        moved.append(optimise(*positional, **named))
        return moved[-1]

    watched = NaturalFinger(CONFIG, optimiser=optimiser)(models, digits, gan, queries=6, seed=1)
    assert watched.digest == make(CONFIG, models, digits, gan).digest
    assert sum(map(len, moved)) == dict(watched.card["funnel"])["labelled"]


def test_a_pair_of_labels_fills_its_share_of_the_set(models, digits, gan):
    easy = replace(CONFIG, transforms=("identity",), candidates=200, max_rounds=1)
    most = {}
    for share in (0.01, 0.1, 1.0):
        made = make(replace(easy, pair_share=share), models, digits, gan, queries=20)
        most[share] = max(Counter(zip(made.labels.tolist(), made.negative_labels.tolist(), strict=True)).values())
    assert most[0.01] == 1 < most[0.1] == 2 < most[1.0]


@pytest.mark.parametrize(
    ("label", "transforms", "discriminator"),
    list(itertools.product(("negative", "random"), (CONFIG.transforms, ("identity",)), ("corrected", "none"))),
)
def test_every_part_can_be_switched_off(models, digits, gan, label, transforms, discriminator):
    config = replace(CONFIG, label=label, transforms=transforms, discriminator=discriminator)
    made = make(config, models, digits, gan, queries=2)
    assert len(made) == 2
    assert made.card["parameters"]["label"] == label
    assert tuple(test for test, _ in made.card["funnel"])[-len(transforms) :] == transforms


def test_random_labels_do_not_depend_on_what_models_answer(models, digits, gan):
    config = replace(CONFIG, label="random", epsilon=1e-6, candidates=120, max_rounds=1, transforms=("identity",))
    counts = dict(make(config, models, digits, gan, queries=1).card["funnel"])
    assert counts["labelled"] == counts["unanimous"] > 0


def test_the_authors_label_rule_and_the_published_sign_work_too(models, digits, gan):
    config = replace(CONFIG, label="positive", discriminator="published", straight_through_rounding=True)
    assert len(make(config, models, digits, gan, queries=2)) == 2


def test_too_few_survivors_say_where_the_others_fell(models, digits, gan):
    config = replace(CONFIG, candidates=40, max_rounds=2, epochs=1, learning_rate=1e-6)
    message = (
        r"expected 50 queries within 2 rounds, got \d+; candidates that passed each test: drawn 80, unanimous \d+, "
        r"labelled \d+, source \d+, optimised \d+, .*; most fell at 'optimised': raise epochs or learning_rate, "
        r"or raise candidates"
    )
    with pytest.raises(NotEnoughQueriesError, match=message):
        make(config, models, digits, gan, queries=50)


@pytest.mark.parametrize("shortlist", [None, 40])
def test_no_candidate_at_all_is_said_too(models, digits, gan, shortlist):
    config = replace(CONFIG, label="positive", epsilon=1e-6, max_rounds=1)  # the positives are unanimous
    config, models = replace(config, shortlist=shortlist), models.map(lambda model: Reshaping(model).eval())
    with pytest.raises(NotEnoughQueriesError, match="labelled 0; most fell at 'labelled': raise epsilon"):
        make(config, models, digits, gan)


def test_progress_counts_updates_and_names_the_round(models, digits, gan):
    reports = []
    make(CONFIG, models, digits, gan, queries=1, progress=lambda *step: reports.append(step))
    done, total, facts = reports[-1]
    assert (done, facts["round"], facts["found"]) == (total, 1, 0)
    assert total == CONFIG.epochs  # three and three models in chunks of four, all candidates in one batch


def test_no_gan_no_queries(models, digits):
    with pytest.raises(ConfigError, match="gan: expected one to make images with, got none"):
        make(CONFIG, models, digits, None)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs: expected at least 1, got 0"),
        ("learning_rate", 0.0, "learning_rate: expected a positive number, got 0.0"),
        ("momentum", 1.0, "momentum: expected 0 or more and less than 1, got 1.0"),
        ("confidence", -1.0, "confidence: expected at least 0, got -1.0"),
        ("discriminator_weight", -3.0, "discriminator_weight: expected at least 0, got -3.0"),
        ("epsilon", 2.0, "epsilon: expected more than 0 and at most 1, got 2.0"),
        ("pair_share", 0.0, "pair_share: expected more than 0 and at most 1, got 0.0"),
        ("transforms", (), "transforms: expected at least one of identity"),
    ],
)
def test_settings_are_checked(field, value, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **{field: value})


def test_the_shortlist_takes_those_that_start_nearest(models, digits, gan):
    """Left where they start, more of those have their labels already than of all; the count is in the funnel."""
    one_round = replace(
        CONFIG, candidates=240, max_rounds=1, epochs=1, learning_rate=1e-9, screen_repeats=1, transforms=("identity",)
    )
    chosen = dict(make(replace(one_round, shortlist=40), models, digits, gan, queries=1).card["funnel"])
    assert chosen["shortlisted"] == 40
    everyone = dict(make(one_round, models, digits, gan, queries=1).card["funnel"])
    assert chosen["optimised"] / 40 > everyone["optimised"] / everyone["labelled"]


def test_an_empty_shortlist_is_an_error():
    with pytest.raises(ValueError, match="shortlist: expected at least 1, got 0"):
        NaturalFingerConfig(shortlist=0)
