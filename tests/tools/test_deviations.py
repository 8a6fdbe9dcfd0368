"""Every setting of a scheme stands on a page about deviations; variants named after papers set what was published."""

from dataclasses import fields
from pathlib import Path

import pytest

from nf.attacks import ATTACKS
from nf.core.config import load_profile
from nf.fingerprints import SCHEMES, make_scheme
from tools.results.deviations import shown, value_at
from tools.results.publications import ATTACKS as PUBLISHED_ATTACKS
from tools.results.publications import BY_SCHEME

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
VARIANTS = {
    "naturalfinger": "paper",
    "ipguard": "ipguard-paper",
    "metav": "metav-paper",
    "metafinger": "metafinger-paper",
}
# Where the publication says it in other words, or nothing: what the variant sets.
IN_OTHER_WORDS = {
    "naturalfinger": {"confidence": "50", "momentum": "0.9", "chunk": "4"},
    "ipguard": {"margins": "1, 3, 10, 30"},  # its k among others, of which the best is taken
    "metav": {"start": "0.1"},
    "metafinger": {
        "alpha": "1",
        "strength.translation_probability": "1",
        "strength.canvas": "1.25",
        "strength.smallest": "0.75",
    },
}
# A bound or a supply, which changes no query.
SUPPLY = {"candidates", "max_rounds", "choose_from", "pair_share", "held_out", "noise_level"}


@pytest.mark.parametrize("scheme", BY_SCHEME)
def test_every_setting_has_a_row(scheme):
    config = SCHEMES[scheme].Config
    rows = set(BY_SCHEME[scheme])
    settings = {field.name for field in fields(config)}
    assert {row.partition(".")[0] for row in rows if " " not in row} - {"queries"} == settings
    for row in rows - {"queries", "models of each kind"}:
        value_at(config(), row)  # or it has no such setting


def test_every_attack_has_a_row():
    named = {row.partition(".")[0] for row in PUBLISHED_ATTACKS if "." in row}
    assert named | {"prune", "noise"} == set(ATTACKS)
    assert {"pruned weights", "noise on weights"} <= set(PUBLISHED_ATTACKS)


@pytest.mark.parametrize(
    "profile", ["digits", "smoke", "gpu-smoke", "cifar10", "cifar10-small", "cifar10-narrow", "cifar10-brief"]
)
@pytest.mark.parametrize("scheme", BY_SCHEME)
def test_a_variant_named_after_a_paper_sets_what_was_published(scheme, profile):
    read = load_profile(PARAMS, profile)
    assert read.variants.each[VARIANTS[scheme]].all_models
    config = make_scheme(scheme, read.variant_section(VARIANTS[scheme])).config
    for row, published in BY_SCHEME[scheme].items():
        said = IN_OTHER_WORDS[scheme].get(row) or published.paper or published.code
        if said is not None and row not in SUPPLY | {"queries", "models of each kind"}:
            given = published.code if said in ("not listed",) else said
            assert shown(value_at(config, row)) == given, row


@pytest.mark.parametrize("profile", ["digits", "cifar10"])
def test_the_corrected_variant_differs_in_the_sign_alone(profile):
    read = load_profile(PARAMS, profile)
    paper, corrected = (read.variant_section(name) for name in ("paper", "paper-corrected"))
    assert {key for key in paper if paper[key] != corrected[key]} == {"discriminator"}
    assert corrected["discriminator"] == "corrected"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8 / 255, "8/255"),
        (0.1255, "0.1255"),
        (0.8, "0.8"),
        (25.0, "25"),
        (None, "none"),
        (True, "yes"),
        ((1.0, 3.0), "1, 3"),
    ],
)
def test_values_read_like_those_of_papers(value, text):
    assert shown(value) == text
