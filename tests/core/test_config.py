from pathlib import Path

import pytest
import yaml

from nf.core.config import load_profile
from nf.core.errors import ConfigError, UnknownNameError

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.mark.parametrize("name", ["digits", "cifar10", "smoke"])
def test_every_profile_of_the_project_can_be_read(name):
    profile = load_profile(PARAMS, name)
    assert profile.name == name
    assert len(profile.zoo.pool.positive) == len(profile.zoo.pool.negative)


def test_the_named_profile_is_the_default():
    assert load_profile(PARAMS).name == yaml.safe_load(PARAMS.read_text())["profile"]


def test_an_unknown_profile_lists_the_known():
    with pytest.raises(UnknownNameError, match="unknown profile 'mnist': expected one of cifar10, digits, smoke"):
        load_profile(PARAMS, "mnist")


def test_sections_of_registries_are_found_by_name():
    profile = load_profile(PARAMS, "digits")
    assert profile.section("schemes", "naturalfinger") is profile.schemes["naturalfinger"]
    with pytest.raises(UnknownNameError, match="unknown gan of profile 'digits' 'biggan': expected one of"):
        profile.section("gans", "biggan")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("a: 1", "expected the keys 'profile' and 'profiles'"),
        ("profile: x\nprofiles: {x: 3}", "profiles.x: expected a mapping, got 3"),
        ("profile: x\nprofiles: {x: {sed: 3}}", "profiles.x: unknown key 'sed'"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_profile(path)


def test_missing_settings_say_where_they_were_expected(tmp_path):
    with pytest.raises(ConfigError, match=r"expected the settings at .*params\.yaml, found nothing"):
        load_profile(tmp_path / "params.yaml")


def test_the_image_of_a_profile_has_one_or_three_channels(tmp_path):
    document = yaml.safe_load(PARAMS.read_text())
    document["profiles"]["digits"]["data"]["channels"] = 2
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=r"profiles\.digits\.data: channels: expected 1 or 3, got 2"):
        load_profile(path, "digits")
