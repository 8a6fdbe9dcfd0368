from dataclasses import replace
from pathlib import Path

import pytest

from nf.core.files import write_json
from nf.stages.basis import variant_basis
from nf.stages.compare import comparison_variants
from nf.stages.run import Run

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def run(tmp_path):
    run = Run.open("smoke", params=PARAMS, out=tmp_path)
    write_json(run.layout.zoo / "summary.json", {"models": ["of now"]})
    return run


def with_variants(run, **changes):
    return replace(run, profile=replace(run.profile, variants=replace(run.profile.variants, **changes)))


def write(run, name, seed):
    record = {"variant": name, "seed": seed, "basis": variant_basis(run, name)}
    write_json(run.layout.variant(name, seed), record)
    return record


def test_variants_of_other_settings_or_models_are_left_out_with_a_warning(run, caplog):
    kept = [write(run, "none", seed) for seed in (0, 10)]
    write(with_variants(run, queries=4), "none", 1)
    write(with_variants(run, common={"naturalfinger": {"epochs": 3}}), "label", 0)
    write_json(run.layout.variant("label", 1), {"variant": "label", "seed": 1})  # written before there was a basis
    assert list(comparison_variants(run)) == kept
    (line,) = caplog.messages
    assert "other settings or models: none/1, label/0, label/1; run `nf variant none/1`" in line

    write_json(run.layout.zoo / "summary.json", {"models": ["built anew"]})
    assert comparison_variants(run) == ()
    (run.layout.zoo / "summary.json").unlink()  # a zoo that is being built
    assert comparison_variants(run) == ()


def test_the_basis_of_a_variant_is_its_own_settings(run):
    section = run.profile.section("schemes", "naturalfinger")
    found = variant_basis(run, "none")["settings"]
    assert found == {
        **section,
        **run.profile.variants.common["naturalfinger"],
        **run.profile.variants.each["none"].changes,
    }
    assert found != variant_basis(run, "label")["settings"]
