"""Which calibration models a profile has."""

from collections import Counter
from dataclasses import replace

import pytest

from nf.core.config import CalibrationConfig, OwnModelConfig, PlusConfig
from nf.core.errors import ConfigError
from nf.core.lineage import SOURCE_ID
from nf.zoo import ZooPlan, fingerbench

from .test_fingerbench import DATA, PROFILE, ZOO

COUNTS = CalibrationConfig(
    copies=16, students=30, independent=20, independent_offspring=60, twins=20, twin_offspring=24
)


def lineage_of(counts: CalibrationConfig):
    return fingerbench(replace(ZOO, calibration=counts))


def kind(spec, lineage) -> str:
    if spec.role == "positive":
        return "thief"
    return "twin" if lineage.root(spec.id).data == "A" else "independent"


def test_there_are_as_many_of_each_kind_as_the_profile_says():
    lineage = lineage_of(COUNTS)
    models = lineage.select(pool="calibration")
    assert Counter(kind(spec, lineage) for spec in models) == {"thief": 46, "independent": 80, "twin": 44}
    thieves = [spec for spec in models if spec.role == "positive"]
    assert Counter(spec.attack for spec in thieves) == {
        **dict.fromkeys(("finetune", "prune", "noise", "adversarial"), 4),
        **dict.fromkeys(("distill", "knockoff"), 15),
    }
    for attack in ("distill", "knockoff"):
        assert {spec.architecture for spec in thieves if spec.attack == attack} == set(ZOO.architectures)
    assert [spec.level for spec in thieves if spec.attack == "prune"] == ["0.2", "0.4", "0.6", "0.8"]
    honest = Counter((kind(spec, lineage), spec.attack) for spec in models if spec.role == "negative")
    assert {attack for _, attack in honest} == {
        "train", "finetune", "prune", "noise", "adversarial", "distill", "knockoff",
    }  # fmt: skip
    assert honest["independent", "train"] == honest["twin", "train"] == 20


def test_they_share_no_lineage_but_the_source_and_no_seed_with_any_other_pool():
    lineage = lineage_of(COUNTS)
    own = {spec.id for spec in lineage.select(pool="calibration")}
    for model_id in own:
        assert {parent.id for parent in lineage.ancestors(model_id)} <= own | {SOURCE_ID}
    plan = ZooPlan(replace(PROFILE, zoo=replace(ZOO, calibration=COUNTS)), DATA)
    seeds = [plan.seed(spec) for spec in plan.lineage.specs]
    assert len(set(seeds)) == len(seeds)
    assert not own & {spec.id for spec in lineage.asked().specs}


def test_they_change_no_other_model():
    before = ZooPlan(replace(PROFILE, zoo=replace(ZOO, calibration=CalibrationConfig())), DATA).hashes
    after = ZooPlan(replace(PROFILE, zoo=replace(ZOO, calibration=COUNTS)), DATA).hashes
    assert before == {model_id: after[model_id] for model_id in before}


def test_honest_models_come_in_many_lineages_of_many_architectures():
    lineage = lineage_of(COUNTS)
    models = lineage.select(pool="calibration", role="negative")
    roots = Counter(lineage.root(spec.id).id for spec in models)
    assert len(roots) == 40
    assert max(roots.values()) <= 5
    assert {lineage.root(name).architecture for name in roots} == set(ZOO.architectures)


def test_offspring_of_twins_learn_from_what_their_lineage_may_know():
    lineage = lineage_of(COUNTS)
    students = [s for s in lineage.select(pool="calibration", role="negative") if s.attack == "distill"]
    assert {(lineage.root(s.id).data, s.data) for s in students} == {("A", "A"), ("B", "B")}


def test_few_lineages_with_much_offspring_have_no_model_twice():
    lineage = lineage_of(CalibrationConfig(copies=4, students=2, independent=1, independent_offspring=500))
    ids = [spec.id for spec in lineage.select(pool="calibration", role="negative")]
    assert len(set(ids)) == len(ids) > 50


@pytest.mark.parametrize("lineages", range(1, 31))
def test_every_lineage_meets_every_attack(lineages):
    counts = replace(COUNTS, independent=lineages, independent_offspring=6 * lineages)
    lineage = lineage_of(counts)
    made = [s for s in lineage.select(pool="calibration", role="negative") if s.parent and s.parent.startswith("scr")]
    assert len({(spec.attack, spec.parent) for spec in made}) == 6 * lineages


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"copies": 2, "students": 2, "independent": 3}, "copies, students: expected at least 5 together, or none"),
        ({"copies": -1}, "copies: expected at least 0, got -1"),
        ({"twin_offspring": 3}, "twin_offspring: expected none without twins, got 3"),
        ({"students": 5}, "independent: expected some where there are thieves"),
    ],
)
def test_counts_that_make_no_sense_are_named(counts, message):
    with pytest.raises((ConfigError, ValueError), match=message):
        CalibrationConfig(**counts)


def test_a_zoo_without_attacks_on_copies_has_students_alone():
    none = dict.fromkeys(("finetune", "prune", "noise", "adversarial"), ())
    counts = replace(COUNTS, copies=0)
    bare = replace(ZOO, levels=none, plus=PlusConfig())
    specs = fingerbench(replace(bare, calibration=counts)).select(pool="calibration")
    assert {spec.attack for spec in specs} == {"train", "distill", "knockoff"}
    with pytest.raises(ConfigError, match=r"zoo\.calibration\.copies: expected none, as zoo\.levels has no attack"):
        fingerbench(replace(bare, calibration=COUNTS))


def test_too_few_lineages_are_refused_before_any_is_built():
    with pytest.raises(ConfigError, match=r"zoo\.calibration\.independent: expected at least 5 lineages, got 3"):
        replace(PROFILE, zoo=replace(ZOO, calibration=replace(COUNTS, independent=3)))
    own = OwnModelConfig("torchvision:resnet18")
    replace(PROFILE, zoo=replace(ZOO, own=own, calibration=replace(COUNTS, independent=3)))  # with 20 of twins
