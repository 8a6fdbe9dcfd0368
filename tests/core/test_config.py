import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from nf.core.config import (
    CalibrationConfig,
    DataConfig,
    EvaluationConfig,
    ExecutionConfig,
    SourceConfig,
    TrainingConfig,
    VariantsConfig,
    check_profile_name,
    load_profile,
    load_settings,
)
from nf.core.errors import ConfigError, UnknownNameError

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.mark.parametrize("name", yaml.safe_load(PARAMS.read_text())["profiles"])
def test_every_profile_of_the_project_can_be_read(name):
    profile = load_profile(PARAMS, name)
    assert profile.name == name
    assert len(profile.zoo.pool.positive) == len(profile.zoo.pool.negative)


def test_the_named_profile_is_the_default():
    assert load_profile(PARAMS).name == yaml.safe_load(PARAMS.read_text())["profile"]


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML is without libyaml")
def test_libyaml_reads_the_settings_and_reads_the_same(monkeypatch):
    """In a tenth of the time, which every command takes before it does anything."""
    expected = yaml.safe_load(PARAMS.read_text())["profiles"]
    monkeypatch.setattr(yaml.SafeLoader, "get_single_data", lambda _: pytest.fail("they were read in Python"))
    assert load_settings(PARAMS).profiles == expected


def test_an_unknown_profile_lists_the_known():
    with pytest.raises(
        UnknownNameError,
        match="unknown profile 'mnist': expected one of "
        "cifar10, cifar10-brief, cifar10-narrow, cifar10-small, digits, gpu-smoke,",
    ):
        load_profile(PARAMS, "mnist")


def test_each_gan_and_scheme_can_be_set_for_one_profile_alone():
    """`dvc exp run -S` loses what it sets in a block that another profile takes over as it is."""
    profiles = yaml.safe_load(PARAMS.read_text())["profiles"]
    kinds = [profile[kind] for profile in profiles.values() for kind in ("gans", "schemes")]
    sections = [id(section) for kind in kinds for section in kind.values()]
    assert len(set(sections)) == len(sections)


def test_a_folder_of_profiles_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path):
    """As in a container, whose user is another one."""
    shutil.copy(PARAMS, tmp_path)
    (tmp_path / "profiles").touch()
    with pytest.raises(ConfigError, match=r"profiles: expected a folder that this user can read: .*Not a directory"):
        load_settings(tmp_path / "params.yaml")


@pytest.mark.parametrize("name", ["digits", "smoke", "cifar10", "cifar10-small", "cifar10-narrow"])
def test_profiles_have_all_that_the_pipeline_runs(name):
    """Those that docs/dvc.md says `dvc repro` without a target can run."""
    settings = load_settings(PARAMS)
    settings.check_lists(settings.load_profile(name))


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({"gans": ("sagan", "biggan")}, r"gans: expected names from profiles\.digits\.gans, got biggan; shorten the"),
        ({"schemes": ("akh", "x", "y")}, r"schemes: expected names from profiles\.digits\.schemes, got x, y; shorten"),
        ({"variants": ("nobody",)}, r"variants: expected names from profiles\.digits\.variants\.each, got nobody; "),
        ({"schemes": ()}, r"schemes: expected at least one to run, got none; list it at the top of params\.yaml"),
        ({"gans": ()}, "gans: expected at least one to run, got none"),
    ],
)
def test_what_a_profile_lacks_is_said_before_anything_runs(listed, message):
    settings = load_settings(PARAMS)
    with pytest.raises(ConfigError, match=message):
        replace(settings, **listed).check_lists(settings.load_profile("digits"))


def test_the_pipeline_makes_every_variant_under_every_seed():
    settings = replace(load_settings(PARAMS), variants=("none", "label-transform"), variant_seeds=(0, 10))
    names = [str(variant) for variant in settings.variant_ids()]
    assert names == ["none-0", "none-10", "label-transform-0", "label-transform-10"]


def test_sections_of_registries_are_found_by_name():
    profile = load_profile(PARAMS, "digits")
    assert profile.section("schemes", "naturalfinger") is profile.schemes["naturalfinger"]
    with pytest.raises(UnknownNameError, match="unknown gan of profile 'digits' 'biggan': expected one of"):
        profile.section("gans", "biggan")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("", "params.yaml: missing key 'profile'"),
        ("[profile, profiles]", r"params.yaml: expected a mapping, got \['profile', 'profiles'\]"),
        ("profile: x", "params.yaml: missing key 'profiles'"),
        (
            "profile: x\nprofiles: {x: {}}\nscheme: [akh]",
            "params.yaml: unknown key 'scheme', expected some of profile, ",
        ),
        ("profile: x\nprofiles: {x: {}}\nschemes: akh", "params.yaml.schemes: expected a list, got 'akh'"),
        ("profile: x\nprofiles: {x: {}}\nvariant_seeds: ['0']", r"variant_seeds\[0\]: expected int, got '0'"),
        ("profile: x\nprofiles: {x: 3}", "profiles.x: expected a mapping, got 3"),
        ("profile: x\nprofiles: {x: {sed: 3}}", "profiles.x: unknown key 'sed'"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_profile(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", 0, "epochs: expected at least 1, got 0"),
        ("batch_size", 0, "batch_size: expected at least 1, got 0"),
        ("learning_rate", -0.1, "learning_rate: expected at least 0, got -0.1"),
        ("clip_norm", 0.0, "clip_norm: expected a positive number, got 0.0"),
        ("weight_decay", -1.0, "weight_decay: expected at least 0, got -1.0"),
        ("momentum", 1.5, "momentum: expected 0 or more and less than 1, got 1.5"),
    ],
)
def test_a_schedule_that_cannot_be_followed(name, value, message):
    with pytest.raises(ValueError, match=message):
        replace(TrainingConfig(epochs=1, batch_size=8, learning_rate=0.1), **{name: value})


@pytest.mark.parametrize(
    ("section", "name", "value", "message"),
    [
        (EvaluationConfig(), "resamples", 0, "resamples: expected at least 1, got 0"),
        (EvaluationConfig(), "orders", 1, "orders: expected at least 2, got 1"),
        (EvaluationConfig(), "confidence", 95.0, "confidence: expected more than 0 and less than 1, got 95.0"),
        (ExecutionConfig(), "workers", 0, "workers: expected at least 1, got 0"),
        (ExecutionConfig(), "retries", -1, "retries: expected at least 0, got -1"),
        (CalibrationConfig(), "twins", 5, "twins: expected none without thieves and independent lineages, got 5"),
        (VariantsConfig(), "queries", 0, "queries: expected at least 1, got 0"),
        (VariantsConfig(), "models", 0, "models: expected at least 1, got 0"),
        (
            DataConfig(SourceConfig("digits"), SourceConfig("scribbles"), 16, 1),
            "test_fraction",
            1.0,
            "test_fraction: expected more than 0 and less than 1, got 1.0",
        ),
        (load_profile(PARAMS), "queries", 0, "queries: expected at least 1, got 0"),
    ],
)
def test_settings_that_would_fail_hours_later_are_refused_at_once(section, name, value, message):
    with pytest.raises(ValueError, match=message):
        replace(section, **{name: value})


def test_a_setting_that_is_refused_is_named_with_its_place(tmp_path):
    document = yaml.safe_load(PARAMS.read_text())
    document["profiles"]["digits"]["evaluation"]["orders"] = 1
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=r"profiles\.digits\.evaluation: orders: expected at least 2, got 1"):
        load_profile(path, "digits")


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


def test_the_runner_is_this_machine_unless_the_profile_says_otherwise():
    assert load_profile(PARAMS).execution.runner == "local"


@pytest.mark.parametrize(
    ("execution", "message"),
    [
        ({"runner": "ray"}, "execution.runner: expected one of 'local', 'dask', got 'ray'"),
        ({"runner": "dask"}, "address: expected tcp://host:port of a Dask scheduler for the runner 'dask', got none"),
        ({"address": "host:8786"}, "address: expected tcp://host:port or tls://host:port, got 'host:8786'"),
        ({"address": "tcp://host"}, "address: expected tcp://host:port or tls://host:port, got 'tcp://host'"),
        ({"address": "tls://host:1"}, "tls: expected certificates for a tls:// address and for no other"),
        (
            {"address": "tcp://host:1", "tls": {"ca": "a", "cert": "b", "key": "c"}},
            "tls: expected certificates for a tls:// address and for no other",
        ),
    ],
)
def test_runners_that_cannot_be_used(tmp_path, execution, message):
    document = yaml.safe_load(PARAMS.read_text())
    document["profiles"]["digits"]["execution"] = execution
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_profile(path, "digits")


def loaded(tmp_path, change):
    """The profile ``smoke`` after ``change`` of its section."""
    document = yaml.safe_load(PARAMS.read_text())
    change(document["profiles"]["smoke"])
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_profile(path, "smoke")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kind": "digits", "images": -5}, "images: expected at least 1, got -5"),
        ({"kind": "scribbles", "images": 0}, "images: expected at least 1, got 0"),
        ({"kind": "digits", "test_images": 0}, "test_images: expected at least 1, got 0"),
        ({"kind": "digits", "train": "nowhere"}, "train: expected none for the kind 'digits', got 'nowhere'"),
        ({"kind": "scribbles", "name": "x"}, "name: expected none for the kind 'scribbles', got 'x'"),
        ({"kind": "parquet", "train": "a", "root": "b"}, "root: expected none for the kind 'parquet', got 'b'"),
        ({"kind": "hugging_face", "name": "a", "test": "b"}, "test: expected none for the kind 'hugging_face', got"),
    ],
)
def test_sources_that_cannot_be_read_as_they_say(tmp_path, source, message):
    with pytest.raises(ConfigError, match=rf"profiles\.smoke\.data\.knockoff: {message}"):
        loaded(tmp_path, lambda section: section["data"].update(knockoff=source))


def test_images_are_not_padded_by_less_than_nothing(tmp_path):
    with pytest.raises(ConfigError, match=r"profiles\.smoke\.data: padding: expected at least 0, got -1"):
        loaded(tmp_path, lambda section: section["data"].update(padding=-1))


def test_common_settings_of_variants_are_those_of_schemes(tmp_path):
    with pytest.raises(
        ConfigError, match=r"unknown scheme in variants\.common 'naturalfingr': expected one of akh, ipg"
    ):
        loaded(tmp_path, lambda section: section["variants"].update(common={"naturalfingr": {"epochs": 3}}))


def test_a_profile_is_called_by_its_key(tmp_path):
    with pytest.raises(ConfigError, match=r"profiles\.smoke: unknown key 'name'; a profile is called by its own key"):
        loaded(tmp_path, lambda section: section.update(name="../elsewhere"))


@pytest.mark.parametrize("name", ["../elsewhere", "..", "a/b", "my model", "my.model", "-x", "", "x" * 65, "x\n"])
def test_a_profile_that_no_folder_and_no_key_of_dvc_can_be_called_by_is_refused(tmp_path, name):
    document = yaml.safe_load(PARAMS.read_text())
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({**document, "profiles": {name: document["profiles"]["smoke"]}}))
    with pytest.raises(ConfigError, match="profile name: expected a letter, then letters, digits, '-' and '_'"):
        load_profile(path, name)


def test_a_profile_called_like_the_folder_of_records_is_refused():
    with pytest.raises(ConfigError, match="profile name: 'record' is where `nf run` writes what it found"):
        check_profile_name("record")


def test_errors_survive_the_way_from_another_process():
    error = UnknownNameError("scheme", "magic", {"b", "a"})
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is UnknownNameError
    assert str(again) == str(error) == "unknown scheme 'magic': expected one of a, b"


def test_settings_can_be_read():
    """No line of params.yaml and dvc.yaml is longer than a line of code may be."""
    lines = [line for name in ("params.yaml", "dvc.yaml") for line in (PARAMS.parent / name).read_text().splitlines()]
    assert max(map(len, lines)) <= 120
