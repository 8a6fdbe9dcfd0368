"""The graph of parts and ``dvc.yaml`` need the same, and a part knows when it is there."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from nf.core.config import CalibrationConfig, SourceConfig
from nf.core.errors import ConfigError, UnknownNameError
from nf.core.files import read_json, write_json
from nf.core.variants import VariantId
from nf.stages import load_stage
from nf.stages.costs import CostLog, Utilisation
from nf.stages.deadline import Deadline, OutOfTimeError
from nf.stages.graph import Part, Wanted, all_parts, select
from nf.stages.run import Run
from nf.stages.runner import _KeptSettings, make_parts
from nf.stages.zoo import ZooProgress
from nf.zoo import ZooPlan

ROOT = Path(__file__).resolve().parents[2]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
PROFILE = "smoke"

GANS_THAT_DVC_AWAITS_TOO = {
    # `foreach` has one list of files for all schemes: those that draw no images wait for the first GAN, too.
    **{stage: {f"gan@{PARAMS['gans'][0]}"} for stage in ("fingerprint", "score", "evaluate")},
    # A variant says in its settings which GAN it draws from, which `matrix` cannot look up: it waits for all.
    "variant": {f"gan@{name}" for name in PARAMS["gans"]},
}
"""By stage, what it may await in ``dvc.yaml`` and need not in the graph."""


def dvc_stages() -> dict[str, dict]:
    """Stages of ``dvc.yaml`` by their own names, with ``${…}`` filled in from the lists of ``params.yaml``."""
    found = {}
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        if "foreach" in stage:
            key = stage["foreach"].strip("${}")
            found |= {f"{name}@{item}": filled(stage["do"], {"item": item}) for item in PARAMS[key]}
        elif "matrix" in stage:
            keys = {axis: PARAMS[key.strip("${}")] for axis, key in stage["matrix"].items()}
            for variant in keys["name"]:
                for seed in keys["seed"]:
                    values = {"item.name": variant, "item.seed": str(seed)}
                    found[f"{name}@{VariantId(variant, seed)}"] = filled(stage, values)
        else:
            found[name] = filled(stage, {})
    return found


def filled(stage, values):
    known = {"profile": PROFILE, "schemes[0]": PARAMS["schemes"][0], "gans[0]": PARAMS["gans"][0], **values}

    def fill(entry):
        path = next(iter(entry)) if isinstance(entry, dict) else entry
        return re.sub(r"\$\{(.*?)\}", lambda match: known[match[1]], path)

    written = [*stage.get("outs", ()), *stage.get("metrics", ())]
    return {"deps": [fill(entry) for entry in stage["deps"]], "writes": [fill(entry) for entry in written]}


def within(path, folder):
    return path == folder or path.startswith(f"{folder}/")


def closure(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    """What each needs, directly or through others."""
    found: dict[str, set[str]] = {}

    def walk(name):
        if name not in found:
            found[name] = set()
            for other in needs[name]:
                found[name] |= {other} | walk(other)
        return found[name]

    for name in needs:
        walk(name)
    return found


@pytest.fixture(scope="module")
def in_dvc():
    stages = dvc_stages()
    return closure(
        {
            name: {
                other
                for other, known in stages.items()
                for path in known["writes"]
                for dep in stage["deps"]
                if within(path, dep) or within(dep, path)
            }
            for name, stage in stages.items()
        }
    )


@pytest.fixture
def run(tmp_path):
    return Run.open(PROFILE, params=ROOT / "params.yaml", out=tmp_path)


@pytest.fixture
def in_graph(run):
    """Needs by the names of stages: the two parts of a variant are one stage."""
    variants = [VariantId(name, seed) for name in PARAMS["variants"] for seed in PARAMS["variant_seeds"]]
    wanted = Wanted.of(run.profile, schemes=PARAMS["schemes"], gans=PARAMS["gans"], variants=variants)
    needs: dict[str, set[str]] = {}
    for part in all_parts(run, wanted):
        stage = part.name.removeprefix("ask-")
        needs[stage] = needs.get(stage, set()) | {name.removeprefix("ask-") for name in part.needs} - {stage}
    return closure(needs)


def test_the_lists_of_dvc_name_what_the_profile_has(run):
    assert set(PARAMS["schemes"]) <= set(run.profile.schemes)
    assert set(PARAMS["variants"]) <= set(run.profile.variants.each)


def test_every_stage_of_dvc_is_a_part_and_needs_what_the_part_needs(in_dvc, in_graph):
    assert set(in_graph) == set(in_dvc)
    for name, needs in in_dvc.items():
        spared = GANS_THAT_DVC_AWAITS_TOO.get(name.partition("@")[0], set())
        assert in_graph[name] <= needs, name
        assert needs - in_graph[name] <= spared, name


def test_what_dvc_awaits_in_vain_is_named(in_dvc, in_graph):
    for stage, spared in GANS_THAT_DVC_AWAITS_TOO.items():
        seen = set().union(*(needs - in_graph[name] for name, needs in in_dvc.items() if name.startswith(stage)))
        assert seen == spared, stage


def test_parts_stand_after_what_they_need_and_write_different_files(run):
    wanted = Wanted.of(run.profile, variants=[VariantId("label", 0), VariantId("wgan_gp", 1)])
    assert wanted.gans == ("sagan", "wgan_gp")
    parts = all_parts(run, wanted)
    for number, part in enumerate(parts):
        assert set(part.needs) <= {earlier.name for earlier in parts[:number]}
        assert part.partly <= set(part.needs)
    files = [part.writes for part in parts if not part.name.startswith("ask-variant@")]
    assert len(files) == len(set(files))


def test_a_target_brings_what_it_needs_and_no_more(run):
    parts = all_parts(run, Wanted.of(run.profile))
    names = [part.name for part in select(parts, ["evaluate@akh"])]
    assert names == ["prepare", "zoo", "export", "fingerprint@akh", "score@akh", "evaluate@akh"]
    assert select(parts, []) == parts
    with pytest.raises(UnknownNameError, match="unknown part 'evaluate': expected one of compare, detect@akh,"):
        select(parts, ["evaluate"])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"schemes": ["ranom"]}, "unknown scheme of profile 'smoke' 'ranom'"),
        ({"gans": ["dcgan"]}, "unknown gan of profile 'smoke' 'dcgan'"),
        ({"variants": [VariantId("lable", 0)]}, "unknown variant of profile 'smoke' 'lable'"),
    ],
)
def test_a_name_that_there_is_not_is_said_before_anything_begins(run, wanted, message):
    with pytest.raises(UnknownNameError, match=message):
        Wanted.of(run.profile, **wanted)


def test_a_variant_is_made_again_where_files_are_still_to_be_exported(run):
    layout = run.layout
    files = [
        layout.gan("sagan") / "quality.json",
        layout.zoo / "summary.json",
        layout.onnx / "card.json",
        layout.variant(VariantId("transform-published", 0)),
    ]
    for age, path in enumerate(files):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (age, age))
    wanted = Wanted.of(run.profile, schemes=["akh"], variants=[VariantId("transform-published", 0)])
    made = {part.name: part for part in all_parts(run, wanted)}
    variant = made["variant@transform-published-0"]
    for stale in files[:2]:
        assert variant.is_there()
        before = stale.stat().st_mtime
        os.utime(stale, (9, 9))
        assert not variant.is_there()
        os.utime(stale, (before, before))


def parts_of(run, **wanted):
    return {part.name: part for part in all_parts(run, Wanted.of(run.profile, **wanted))}


def changed(run, **changes):
    return replace(run, profile=replace(run.profile, **changes))


def test_other_images_at_the_same_path_are_split_anew(run, tmp_path):
    path = tmp_path / "train.npz"
    run = changed(
        run, data=replace(run.profile.data, source=SourceConfig("arrays", train=str(path)), test_fraction=0.5)
    )
    costs = CostLog(run, Utilisation())
    found = []
    for seed in (0, 0, 1):
        pixels = np.random.default_rng(seed).integers(0, 256, (80, 1, 16, 16), np.uint8)
        np.savez(path, images=pixels, labels=np.arange(80) % 2)
        begun = []
        assert make_parts(run, [parts_of(run)["prepare"]], Deadline(), costs, begun=begun.append) == {}
        found.append((read_json(run.layout.data / "card.json")["hashes"]["A"], begun))
    assert [begun for _, begun in found] == [["prepare"], [], ["prepare"]]
    assert found[0][0] == found[1][0] != found[2][0]


def test_what_somebody_else_made_with_unknown_settings_is_made_again(run):
    """As `nf prepare` does with a seed that is then taken back, while what was noted is of the first run."""
    costs, begun = CostLog(run, Utilisation()), []

    def make():
        assert make_parts(run, [parts_of(run)["prepare"]], Deadline(), costs, begun=begun.append) == {}
        return read_json(run.layout.data / "card.json")["hashes"]["A"]

    first = make()
    load_stage("prepare")(changed(run, seed=1))
    assert read_json(run.layout.data / "card.json")["hashes"]["A"] != first
    assert make() == make() == first
    assert begun == ["prepare", "prepare"]


def test_what_another_run_notes_meanwhile_is_kept(run):
    """Of two that began at once, each with parts of its own."""
    one, other = _KeptSettings(run), _KeptSettings(run)
    parts = [Part(name, run.layout.data / name, print, settings={"seed": 0}) for name in ("a", "b")]
    for kept, part in zip((one, other), parts, strict=True):
        assert not kept.fit(part)
        kept.note(part)
    assert all(_KeptSettings(run).fit(part) for part in parts)


def test_other_files_in_the_same_folder_are_split_anew(run, tmp_path):
    folder = tmp_path / "images"
    (folder / "ant").mkdir(parents=True)
    data = replace(run.profile.data, knockoff=SourceConfig("folder", train=str(folder)))
    found = []
    for name in ("a.png", "b.png"):
        found.append(parts_of(changed(run, data=data))["prepare"].settings)
        (folder / "ant" / name).write_bytes(b"pixels")
    found.append(parts_of(changed(run, data=data))["prepare"].settings)
    assert found[0] != found[1] != found[2]
    assert "files" not in parts_of(run)["prepare"].settings  # they are embedded


@pytest.mark.parametrize("plus", [{"defences": ("jpeg", "blur")}, {"compressed": ()}, {"twins": ()}])
def test_other_suspects_are_exported_and_asked(run, plus):
    more = changed(run, zoo=replace(run.profile.zoo, plus=replace(run.profile.zoo.plus, **plus)))
    before, after = parts_of(run), parts_of(more)
    for name in ("export", "score@akh", "score@naturalfinger"):
        assert before[name].settings != after[name].settings


def test_models_that_are_under_way_when_time_is_over_are_finished(run, monkeypatch):
    """The lock on the zoo would be free, while workers still write into it."""
    finished = []

    def build(run, *, max_seconds):
        assert max_seconds <= 0
        for number, name in enumerate("ab", start=1):
            run.progress(number, 3, name)
            finished.append(name)
        return ZooProgress(run.layout.zoo, 2, 3)

    monkeypatch.setattr("nf.stages.graph.zoo", build)
    zoo = {part.name: part for part in all_parts(run, Wanted.of(run.profile), Deadline(0))}["zoo"]
    with pytest.raises(OutOfTimeError):
        zoo.make()
    assert finished == ["a", "b"]


def test_a_zoo_is_whole_where_its_summary_is_about_the_plan(run, monkeypatch):
    data = {"hashes": dict.fromkeys(("A", "B", "finetune", "test", "knockoff"), "x"), "class_names": ["a", "b"]}
    write_json(run.layout.data / "card.json", {**data, "image_shape": [1, 16, 16], "mean": [0.5], "std": [0.5]})
    monkeypatch.setattr("nf.stages.graph.missing_models", lambda run, plan: [])
    summary = run.layout.zoo / "summary.json"
    fewer = changed(run, zoo=replace(run.profile.zoo, plus=replace(run.profile.zoo.plus, defences=())))
    plan = ZooPlan(run.profile, read_json(run.layout.data / "card.json"))
    write_json(summary, {"models": [], "plan": plan.digest})
    assert parts_of(run)["zoo"].is_there()
    assert not parts_of(fewer)["zoo"].is_there()
    write_json(summary, {"models": []})  # as it was written before it named the plan
    assert not parts_of(run)["zoo"].is_there()
    summary.write_text("{")
    assert not parts_of(run)["zoo"].is_there()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gans": {"sagn": {}}}, "unknown gan 'sagn': expected one of contragan, "),
        ({"gans": {"sagan": {"step": 3}}}, r"gans\.sagan: unknown key 'step'"),
        ({"detection": {"epoch": 3}}, "detection: unknown key 'epoch'"),
    ],
)
def test_sections_that_cannot_be_used_are_refused_before_anything_begins(run, changes, message):
    with pytest.raises(ConfigError, match=message):
        Wanted.of(changed(run, **changes).profile)


@pytest.mark.parametrize("kind", ["positive", "negative", "twins"])
def test_training_models_that_a_scheme_needs_are_missed_before_anything_begins(run, kind):
    zoo = run.profile.zoo
    without = changed(run, zoo=replace(zoo, pool=replace(zoo.pool, **{kind: ()}))).profile
    with pytest.raises(ConfigError, match=rf"zoo\.pool\.{kind}: expected some, as naturalfinger is made from them"):
        Wanted.of(without, schemes=["naturalfinger"], variants=[VariantId("twins", 0)])


@pytest.mark.parametrize("wanted", [{"schemes": ["naturalfinger"]}, {"schemes": ["akh"], "variants": ["label"]}])
def test_calibration_models_that_are_to_choose_queries_are_missed_before_anything_begins(run, wanted):
    """Of variants, which have none whatever the profile has, the settings that all share are to say otherwise."""
    bare = changed(run, zoo=replace(run.profile.zoo, calibration=CalibrationConfig()))
    chosen_so = changed(run, variants=replace(run.profile.variants, common={}))
    variants = [VariantId(name, 0) for name in wanted.get("variants", ())]
    with pytest.raises(ConfigError, match="naturalfinger: choice: expected calibration models to choose queries by"):
        Wanted.of((chosen_so if variants else bare).profile, schemes=wanted["schemes"], variants=variants)
