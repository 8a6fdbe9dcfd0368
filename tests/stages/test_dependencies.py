"""What stages read is what ``dvc.yaml`` says that they depend on."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STAGES = {
    name: stage.get("do", stage) for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()
}
PROFILES = yaml.safe_load((ROOT / "params.yaml").read_text())["profiles"]


def code(stage):
    """The source of the modules of ``nf.stages`` that a stage of ``dvc.yaml`` depends on."""
    return "".join((ROOT / path).read_text() for path in stage["deps"] if path.startswith("nf/stages/"))


def holds(paths, path):
    """Whether ``path`` or a folder above it is among ``paths``."""
    return any(path == known or path.startswith(f"{known}/") for known in paths)


@pytest.mark.parametrize("name", STAGES)
def test_who_reads_the_section_of_the_zoo_runs_again_when_it_changes(name):
    stage = STAGES[name]
    if "profile.zoo" in code(stage):
        assert "profiles.${profile}.zoo" in stage["params"]
    if "fingerbench(" in code(stage):
        assert holds(stage["deps"], "nf/zoo/fingerbench.py")


@pytest.mark.parametrize("name", sorted(set(STAGES) - {"prepare"}))
def test_who_reads_images_runs_again_when_they_change(name):
    if "layout.data" in code(STAGES[name]):
        assert "out/${profile}/data" in STAGES[name]["deps"]


@pytest.mark.parametrize("name", ["report", "compare"])
def test_pages_are_made_again_when_what_they_calculate_changes(name):
    calculated = {
        path
        for file in (ROOT / "nf/report").rglob("*.py")
        for package in re.findall(r"from (nf\.(?:evaluation|verification\.proportions)\S*) import", file.read_text())
        for path in [package.replace(".", "/")]
    }
    assert len(calculated) > 1
    deps = STAGES[name]["deps"]
    assert [path for path in calculated if not (holds(deps, path) or f"{path}.py" in deps)] == []


def test_the_comparison_is_made_again_when_budget_curves_change():
    assert ".plots(" in (ROOT / "nf/stages/compare.py").read_text()
    assert "out/${profile}/plots" in STAGES["compare"]["deps"]


def test_every_profile_has_the_sections_that_stages_of_all_profiles_depend_on():
    needed = {path.split(".")[2] for name in ("export", "score", "fingerprint") for path in STAGES[name]["params"]}
    assert needed == {"seed", "queries", "zoo", "schemes"}
    assert all(needed <= set(profile) for profile in PROFILES.values())
