"""What a stage reads of code and settings, and what is said when that changes while it is at work."""

import pytest
import yaml

from flows import inputs
from flows.inputs import Inputs, check_unedited
from nf.core.errors import NFError

STAGES = {
    "zoo": {
        "deps": ["nf/zoo", "nf/stages/zoo.py", "out/${profile}/data"],
        "params": [{"${profile_file}": ["profiles.${profile}.seed", "profiles.${profile}.zoo"]}],
    },
    "gan": {
        "foreach": "${gans}",
        "do": {
            "deps": ["nf/stages/gan.py"],
            "params": [{"${profile_file}": ["profiles.${profile}.gans.${item}"]}],
        },
    },
    "variant": {
        "deps": ["nf/stages/gan.py"],
        "params": [{"${profile_file}": ["profiles.${profile}.variants.each.${item.name}"]}],
    },
}
CODE = ("nf/zoo/build.py", "nf/zoo/page.j2", "nf/zoo/deep/plan.py", "nf/stages/zoo.py", "nf/stages/gan.py")


class Project:
    """A project of a few files."""

    def __init__(self, root):
        self.root = root
        self.small = {
            "seed": 1,
            "zoo": {"epochs": 2},
            "gans": {"sagan": {"steps": 3}, "logan": {"steps": 4}},
            "variants": {"each": {"twins": {"scheme": "akh"}, "none": {"scheme": "akh"}}},
        }
        (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
        for name in CODE:
            self.write(name, "x = 1\n")
        self.settings()

    def write(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def settings(self, **changes):
        self.small |= changes
        profiles = {"small": self.small, "other": {"seed": 5}}
        self.write("params.yaml", yaml.safe_dump({"profile": "small", "profiles": profiles}))


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "ROOT", tmp_path)
    return Project(tmp_path)


def test_code_and_settings_are_those_of_the_stage(own):
    found = Inputs.read("zoo", "small", None)
    code = {"nf/zoo/build.py", "nf/zoo/page.j2", "nf/zoo/deep/plan.py", "nf/stages/zoo.py"}
    assert set(found.digests) == code | {"profiles.small.seed", "profiles.small.zoo"}
    assert set(Inputs.read("gan", None, "logan").digests) == {"nf/stages/gan.py", "profiles.small.gans.logan"}
    assert set(Inputs.read("variant", None, "twins-0").digests) == {
        "nf/stages/gan.py",
        "profiles.small.variants.each.twins",
    }
    assert Inputs.read("bench", None, None).digests == {}


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda own: own.write("nf/zoo/deep/plan.py", "x = 2\n"), "nf/zoo/deep/plan.py"),
        (lambda own: own.write("nf/zoo/page.j2", "<p>"), "nf/zoo/page.j2"),
        (lambda own: own.write("nf/zoo/new.py", ""), "nf/zoo/new.py"),
        (lambda own: (own.root / "nf/stages/zoo.py").unlink(), "nf/stages/zoo.py"),
        (lambda own: own.settings(seed=2), "profiles.small.seed"),
        (lambda own: own.settings(zoo={"epochs": 20}), "profiles.small.zoo"),
        (lambda own: own.write("params.yaml", "profile: [small"), "params.yaml is not YAML"),
    ],
)
def test_an_edit_is_named(own, edit, named):
    before = Inputs.read("zoo", None, None)
    edit(own)
    with pytest.raises(NFError, match=f"zoo: expected code and settings to stay .*{named}.*; run it again"):
        check_unedited(before, "zoo", None, None)


@pytest.mark.parametrize(
    "edit",
    [
        lambda own: own.write("nf/stages/gan.py", "x = 2\n"),
        lambda own: own.write("nf/zoo/.build.py.swp", "x"),
        lambda own: own.write("nf/zoo/build.py~", "x"),
        lambda own: own.write("nf/zoo/__pycache__/build.cpython-311.pyc", "x"),
        lambda own: own.settings(gans={"sagan": {"steps": 30}}),
    ],
)
def test_what_the_stage_does_not_read_may_change(own, edit):
    before = Inputs.read("zoo", None, None)
    edit(own)
    check_unedited(before, "zoo", None, None)


def test_several_edits_are_counted(own):
    before = Inputs.read("zoo", None, None)
    own.write("nf/zoo/build.py", "x = 2\n")
    own.settings(seed=2)
    with pytest.raises(NFError, match=r"nf/zoo/build.py and 1 more changed"):
        check_unedited(before, "zoo", None, None)
