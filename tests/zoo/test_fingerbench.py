from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from nf.core.config import (
    CalibrationConfig,
    NetworkConfig,
    OwnModelConfig,
    PlusConfig,
    PoolConfig,
    load_profile,
)
from nf.core.errors import ConfigError, UnknownNameError
from nf.zoo import ZooPlan, fingerbench
from nf.zoo.fingerbench import parse_id

_DIGITS = load_profile(Path(__file__).parents[2] / "params.yaml", "digits")
# Calibration models have tests of their own.
ZOO = replace(_DIGITS.zoo, calibration=CalibrationConfig())
PROFILE = replace(_DIGITS, zoo=ZOO)
DATA = {
    "hashes": {"A": "a", "B": "b", "finetune": "f", "knockoff": "k"},
    "class_names": list("0123456789"),
    "image_shape": [1, 16, 16],
    "mean": [0.3],
    "std": [0.3],
}


@pytest.fixture(scope="module")
def lineage():
    return fingerbench(ZOO)


def test_table_1_of_the_paper(lineage):
    """Suspects by role and attack; the negatives are 63 mirrors, 14 from scratch and 14 distilled from those."""
    suspects = lineage.select(pool="suspects")
    positive, negative = ({}, {})
    for role, table in (("positive", positive), ("negative", negative)):
        table.update(Counter(spec.attack for spec in suspects if spec.role == role))
    assert positive == {
        "train": 1,
        "finetune": 4,
        "prune": 9,
        "noise": 9,
        "adversarial": 10,
        "distill": 15,
        "knockoff": 15,
    }
    assert negative == positive | {"train": 1 + 14, "distill": 15 + 14}
    assert (sum(positive.values()), sum(negative.values()), len(suspects)) == (63, 91, 154)


def test_fingerbench_plus_stands_beside_the_154_and_changes_none_of_them(lineage):
    plus = lineage.select(pool="plus")
    assert Counter((spec.attack, spec.role) for spec in plus) == {
        ("train", "negative"): 15,
        ("distill", "positive"): len(ZOO.plus.cross),
        ("compress", "positive"): 10,
        ("defend", "positive"): 4,
    }
    paper = replace(ZOO, plus=PlusConfig(), pool=replace(ZOO.pool, twins=()))
    assert fingerbench(paper).specs == tuple(s for s in lineage.specs if s.pool in ("suspects", "training"))
    before, after = ZooPlan(replace(PROFILE, zoo=paper), DATA).hashes, ZooPlan(PROFILE, DATA).hashes
    assert before == {model_id: after[model_id] for model_id in before}


def test_twins_learn_from_the_owners_data_and_cross_students_from_the_other_half(lineage):
    for pool, count in (("plus", 15), ("twins", 5)):
        twins = [spec for spec in lineage.select(pool=pool) if spec.id.startswith("twin-")]
        assert [(s.data, s.parent, s.role) for s in twins] == [("A", None, "negative")] * count
    cross = [spec for spec in lineage.select(pool="plus") if spec.id.startswith("cross-")]
    assert {(s.data, s.parent, s.role) for s in cross} == {("B", "source", "positive")}


def test_copies_keep_what_their_original_is_and_are_not_trained(lineage):
    copy = lineage["compress-int8-knockoff-mobilenet_v2-source"]
    assert (copy.parent, copy.architecture, copy.level) == ("knockoff-mobilenet_v2-source", "mobilenet_v2", "int8")
    assert lineage["defend-jpeg-source"].level == "jpeg"
    trained = ZooPlan(PROFILE, DATA).lineage
    assert {spec.id for spec in lineage.specs} - {spec.id for spec in trained.specs} == {
        spec.id for spec in lineage.specs if spec.attack in ("compress", "defend")
    }


def test_every_positive_has_a_mirror_that_differs_only_in_its_ancestor(lineage):
    for spec in lineage.select(pool="suspects", role="positive"):
        mirror = lineage[spec.mirror]
        assert mirror.role == "negative"
        assert (mirror.architecture, mirror.attack, mirror.level) == (spec.architecture, spec.attack, spec.level)


def test_positives_are_the_descendants_of_the_source(lineage):
    for spec in lineage.specs:
        root = ([spec, *lineage.ancestors(spec.id)])[-1].id
        assert (spec.role == "positive") == (root == "source")


def test_who_learns_from_what(lineage):
    assert lineage["source"].data == "A"
    assert lineage["mirror"].data == lineage["scratch-xception"].data == "B"
    assert lineage["distill-xception-source"].data == "A"
    assert lineage["distill-xception-mirror"].data == lineage["distill-resnet18-scratch-xception"].data == "B"
    assert lineage["knockoff-xception-source"].data == "knockoff"
    assert lineage["prune-0.9-source"].data == "finetune"


@pytest.mark.parametrize("name", ["own", "default", "resnet18"])
def test_a_network_from_outside_takes_no_name_that_says_something_else(name):
    networks = {name: NetworkConfig("torchvision:resnet18")}
    with pytest.raises(ConfigError, match=rf"zoo\.networks: expected names that are neither .*, got '{name}'"):
        fingerbench(replace(ZOO, networks=networks))


@pytest.mark.parametrize(
    "own", [OwnModelConfig("model.onnx"), OwnModelConfig("torchvision:resnet18", copies=False, remember=True)]
)
def test_how_often_a_model_is_asked_whose_answers_are_kept_has_to_be_said(own):
    zoo = replace(ZOO, own=own, pool=PoolConfig((), ()), plus=PlusConfig(twins=ZOO.plus.twins))
    with pytest.raises(ConfigError, match=r"zoo\.attacks\.distill\.answers: expected 'once', .*got neither"):
        fingerbench(zoo)
    for answers in ("once", "each"):
        distill = {**zoo.attacks.get("distill", {}), "answers": answers}
        fingerbench(replace(zoo, attacks={**zoo.attacks, "distill": distill}))
    fingerbench(replace(zoo, own=OwnModelConfig("torchvision:resnet18")))


def test_training_models_are_eight_and_eight_of_the_papers_five_architectures(lineage):
    for role in ("positive", "negative"):
        chosen = lineage.select(pool="training", role=role)
        assert len(chosen) == 8
        assert {spec.architecture for spec in chosen} == {
            "inception_v3",
            "resnet18",
            "resnet34",
            "vgg13_bn",
            "vgg16_bn",
        }


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (
            PoolConfig(("distill-resnet18-source",), ()),
            "'distill-resnet18-source' is a suspect and cannot be a training",
        ),
        (PoolConfig((), ("distill-resnet18-source-t1",)), r"zoo\.pool\.negative: .* is positive by its lineage"),
        (PoolConfig((), ("mirror-t1", "mirror-t1")), "the zoo lists 'mirror-t1' twice"),
        (PoolConfig(("source-t1",), ()), r"zoo\.pool\.positive: 'source-t1' would learn from the owner's data and not"),
        (PoolConfig(("compress-fp16-source-t1",), ()), r"'compress-fp16-source-t1' is a copy of a file, expected"),
        (PoolConfig((), (), ("twin-resnet18",)), r"zoo\.pool\.twins: expected ids such as twin-resnet18-t1, got"),
        (PoolConfig((), (), ("scratch-resnet18-t1",)), r"zoo\.pool\.twins: expected ids such as twin-resnet18-t1, got"),
    ],
)
def test_a_pool_that_would_spoil_the_benchmark_is_refused(pool, message):
    with pytest.raises(ConfigError, match=message):
        fingerbench(replace(ZOO, pool=pool))


def test_a_training_model_made_of_the_mirrors_weights_is_of_the_mirrors_architecture():
    lineage = fingerbench(replace(ZOO, pool=PoolConfig((), ("finetune-FTAL-scratch-vgg13_bn-t1",))))
    spec = lineage["finetune-FTAL-scratch-vgg13_bn-t1"]
    assert (spec.architecture, spec.role, spec.parent) == ("vgg13_bn", "negative", "scratch-vgg13_bn")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"widths": {"default": 0.5, "resnet81": 0.25}},
            "unknown key of zoo.widths 'resnet81': expected one of default, ",
        ),
        (
            {"overrides": {"resnet81": {"epochs": 3}}},
            "unknown key of zoo.overrides 'resnet81': expected one of densenet",
        ),
        ({"levels": {"prunning": ("0.5",)}}, "unknown key of zoo.levels 'prunning': expected one of adversarial, fine"),
        ({"attacks": {"finetunes": {}}}, "unknown attack 'finetunes': expected one of adversarial, distill"),
        ({"attacks": {"knockoff": {"epoch": 4}}}, r"zoo\.attacks\.knockoff: unknown key 'epoch'"),
        ({"attacks": {"adversarial": {"steps": 0}}}, r"zoo\.attacks\.adversarial: steps: expected at least 1, got 0"),
    ],
)
def test_settings_that_would_do_nothing_or_fail_hours_later_are_refused_at_once(changes, message):
    with pytest.raises(ConfigError, match=message):
        fingerbench(replace(ZOO, **changes))


def test_weights_that_are_not_there_are_missed_before_anything_is_built(tmp_path):
    plan = ZooPlan(replace(PROFILE, zoo=replace(ZOO, source_weights=str(tmp_path / "mine.safetensors"))), DATA)
    with pytest.raises(ConfigError, match=r"zoo: expected a file with weights at .*mine\.safetensors: No"):
        _ = plan.hashes


@pytest.mark.parametrize(
    ("model_id", "error", "message"),
    [
        ("steal-resnet18-source", UnknownNameError, "unknown attack in 'steal-resnet18-source' 'steal'"),
        ("prune-0.95-source", UnknownNameError, "unknown level of prune in 'prune-0.95-source' '0.95'"),
        ("distill-alexnet-source", UnknownNameError, "unknown architecture of the zoo 'alexnet'"),
        ("distill-resnet18-other", ConfigError, "expected a victim 'source', 'mirror', 'scratch"),
        ("twin-alexnet", UnknownNameError, "unknown architecture of the zoo 'alexnet'"),
        ("compress-int3-source", UnknownNameError, "unknown level of compress in 'compress-int3-source' 'int3'"),
        (
            "compress-fp16-mirror",
            ConfigError,
            "expected a copy of the source or of a model stolen from it, got an honest",
        ),
        ("defend-jpeg-other", UnknownNameError, "unknown attack in 'other'"),
        ("noise-3", ConfigError, "expected a victim .* got ''"),
    ],
)
def test_an_id_that_says_nothing(model_id, error, message):
    with pytest.raises(error, match=message):
        parse_id(model_id, ZOO, "suspects")


def test_every_model_has_a_seed_of_its_own():
    """A training model of the same seed as a suspect would start from the same weights."""
    plan = ZooPlan(PROFILE, DATA)
    seeds = {spec.id: plan.seed(spec) for spec in plan.lineage.specs}
    assert len(set(seeds.values())) == len(seeds)
    more = ZooPlan(replace(PROFILE, zoo=replace(ZOO, plus=PlusConfig())), DATA)
    assert all(more.seed(spec) == seeds[spec.id] for spec in more.lineage.specs)


def test_a_changed_section_changes_the_hashes_of_those_it_concerns():
    before = ZooPlan(PROFILE, DATA)
    attacks = {**ZOO.attacks, "finetune": {"epochs": 11}}
    after = ZooPlan(replace(PROFILE, zoo=replace(ZOO, attacks=attacks)), DATA)
    changed = {model_id for model_id, recipe in before.hashes.items() if after.hashes[model_id] != recipe}
    assert changed == {s.id for s in before.lineage.specs if s.attack == "finetune"}


def test_changed_data_changes_the_models_that_learn_from_it_and_what_is_made_from_them():
    before = ZooPlan(PROFILE, DATA)
    after = ZooPlan(PROFILE, {**DATA, "hashes": {**DATA["hashes"], "A": "other"}})
    changed = {model_id for model_id, recipe in before.hashes.items() if after.hashes[model_id] != recipe}
    assert changed == {s.id for s in before.lineage.specs if s.role == "positive" or s.id.startswith("twin-")}


def test_an_override_of_one_architecture_spares_the_others():
    before = ZooPlan(PROFILE, DATA)
    zoo = replace(ZOO, overrides={**ZOO.overrides, "xception": {"epochs": 99}})
    after = ZooPlan(replace(PROFILE, zoo=zoo), DATA)
    assert after.training("xception").epochs == 99
    changed = {model_id for model_id, recipe in before.hashes.items() if after.hashes[model_id] != recipe}
    made_by = {"scratch-xception", "distill-resnet18-scratch-xception", "twin-xception"}
    assert changed == made_by | {f"{a}-xception-{v}" for a in ("distill", "knockoff") for v in ("source", "mirror")}


def test_a_stem_at_full_size_makes_other_models_of_that_architecture():
    before = ZooPlan(PROFILE, DATA)
    after = ZooPlan(replace(PROFILE, zoo=replace(ZOO, full_size=("mobilenet_v2",))), DATA)
    assert after.build_arguments("mobilenet_v2") == {**before.build_arguments("mobilenet_v2"), "full_size": True}
    changed = {model_id for model_id, recipe in before.hashes.items() if after.hashes[model_id] != recipe}
    assert {"scratch-mobilenet_v2", "distill-resnet18-scratch-mobilenet_v2"} <= changed
    assert all("mobilenet_v2" in model_id for model_id in changed)


@pytest.mark.parametrize("name", ["alexnet", "vgg13_bn"])
def test_what_cannot_be_at_full_size_is_refused_before_anything_is_built(name):
    message = f"unknown architecture in zoo.full_size '{name}': expected one of densenet121, .*squeezenet$"
    with pytest.raises(UnknownNameError, match=message):
        fingerbench(replace(ZOO, full_size=("resnet18", name)))


def test_full_size_is_for_architectures_of_the_zoo():
    fewer = replace(ZOO, architectures=("resnet18", "vgg13_bn"), full_size=("resnet34",))
    with pytest.raises(UnknownNameError, match=r"'resnet34': expected one of resnet18$"):
        fingerbench(fewer)


def test_suspects_may_be_of_fewer_architectures_than_calibration_models():
    few = ("resnet18", "xception")
    wanted = CalibrationConfig(copies=5, students=30, independent=30, twins=30)
    zoo = replace(ZOO, plus=PlusConfig(), calibration=wanted)
    before, after = (fingerbench(replace(zoo, suspects=each)) for each in ((), few))
    assert {spec.architecture for spec in after.select(pool="suspects")} == set(few)
    assert len(after.select(pool="suspects")) == 2 * (1 + 32 + 4) + 2  # victim, copies, students; one from scratch
    for pool in ("training", "twins", "plus", "calibration"):
        assert after.select(pool=pool) == before.select(pool=pool)
    for wrong in (("vgg13_bn",), ("resnet18", "alexnet")):
        with pytest.raises(ValueError, match="suspects: expected resnet18 and others of "):
            replace(ZOO, suspects=wrong)


def test_honest_calibration_models_learn_for_as_long_as_their_efforts_say():
    """Those of one architecture in turn; thieves, offspring and all other models are as they were."""
    wanted = CalibrationConfig(students=5, independent=30, independent_offspring=12, twins=30)
    before, after = (
        ZooPlan(replace(PROFILE, zoo=replace(ZOO, calibration=each)), DATA)
        for each in (wanted, replace(wanted, efforts=(1.0, 0.5)))
    )
    first, second = after.lineage["scratch-xception-c1"], after.lineage["scratch-xception-c2"]
    usual = after.training("xception").epochs
    assert (after.schedule(first).epochs, after.schedule(second).epochs) == (usual, round(usual / 2))
    changed = {model_id for model_id, recipe in before.hashes.items() if after.hashes[model_id] != recipe}
    roots = {f"{kind}-{name}-c2" for kind in ("scratch", "twin") for name in ZOO.architectures}
    assert changed >= roots
    assert {after.lineage.root(model_id).id for model_id in changed} == roots
    for wrong in ((), (1.0, 0.0)):
        with pytest.raises(ValueError, match="efforts: expected numbers above 0"):
            CalibrationConfig(efforts=wrong)
