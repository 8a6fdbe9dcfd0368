"""Which settings a scheme's run in MLflow bears."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows.tracking import _parameters
from nf.core.config import load_profile
from nf.core.paths import Layout
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path):
    return Run(load_profile(ROOT / "params.yaml", "digits"), Layout(tmp_path))


def with_gan(run, name):
    schemes = {**run.profile.schemes, "naturalfinger": {**run.profile.schemes["naturalfinger"], "gan": name}}
    return replace(run, profile=replace(run.profile, schemes=schemes))


def of_gans(parameters):
    return {name.split(".")[1] for name in parameters if name.startswith("gan.")}


def test_the_gan_that_a_scheme_takes_by_default_is_among_its_settings(run):
    parameters = _parameters(run, "naturalfinger")
    assert of_gans(parameters) == {"sagan"}
    assert parameters["gan.sagan.steps"] == str(run.profile.gans["sagan"]["steps"])


def test_so_is_the_one_that_its_section_names(run):
    assert of_gans(_parameters(with_gan(run, "logan"), "naturalfinger")) == {"logan"}


def test_an_imported_gan_is_named_and_has_no_settings(run):
    parameters = _parameters(with_gan(run, "mine"), "naturalfinger")
    assert parameters["naturalfinger.gan"] == "mine"
    assert of_gans(parameters) == set()


def test_a_scheme_without_a_gan_has_none(run):
    assert of_gans(_parameters(run, "akh")) == set()
