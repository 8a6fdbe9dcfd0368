"""The graph of parts and ``dvc.yaml`` need the same, and a part knows when it is there."""

import os
import re
from pathlib import Path

import pytest
import yaml

from nf.core.errors import UnknownNameError
from nf.core.variants import VariantId
from nf.stages.graph import Wanted, all_parts, select
from nf.stages.run import Run

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
