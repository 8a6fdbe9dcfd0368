from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from nf.core.errors import ArtifactError
from nf.core.files import write_json
from nf.core.queries import QuerySet
from nf.core.variants import VariantId
from nf.fingerprints import make_scheme
from nf.stages.compare import compare, comparison_detection, comparison_variants, evaluated_schemes
from nf.stages.freshness import variant_basis
from nf.stages.run import Run

HASHES = {"A": "owner's", "B": "others'", "test": "for tests"}
PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def run(tmp_path):
    run = Run.open("smoke", params=PARAMS, out=tmp_path)
    write_json(run.layout.zoo / "summary.json", {"models": ["current"]})
    return run


def with_variants(run, **changes):
    return replace(run, profile=replace(run.profile, variants=replace(run.profile.variants, **changes)))


def write(run, name, seed):
    record = {"variant": name, "seed": seed, "basis": variant_basis(run, name)}
    write_json(run.layout.variant(VariantId(name, seed)), record)
    return record


def with_profile(run, **changes):
    return replace(run, profile=replace(run.profile, **changes))


def evaluated(run, scheme, hashes=HASHES):
    """A query set of ``scheme`` as the run would make it, and something for metrics."""
    config = make_scheme(scheme, run.profile.section("schemes", scheme)).config
    labels = np.zeros(run.profile.queries, np.int64)
    card = {"scheme": scheme, "parameters": asdict(config), "data_hash": {name: hashes[name] for name in ("A", "test")}}
    images = np.zeros((len(labels), 1, 4, 4), np.uint8)
    QuerySet(images, labels, labels, card).save(run.layout.fingerprint(scheme))
    write_json(run.layout.metrics(scheme), {})


def test_query_sets_of_other_settings_or_images_are_left_out_with_a_warning(run, caplog):
    write_json(run.layout.data / "card.json", {"hashes": HASHES})
    schemes = {**run.profile.schemes, "ipguard": {**run.profile.schemes["ipguard"], "iterations": 7}}
    evaluated(run, "naturalfinger")
    evaluated(with_profile(run, schemes=schemes), "ipguard")
    evaluated(with_profile(run, queries=8), "akh")
    evaluated(run, "random", {**HASHES, "A": "other images"})
    for name in ("naturalfinger", "akh"):
        write_json(run.layout.detection(name), {"query_set": QuerySet.load(run.layout.fingerprint(name)).digest})
    assert evaluated_schemes(run) == ["naturalfinger"]
    assert set(comparison_detection(run)) == {"naturalfinger"}

    run.layout.metrics("naturalfinger").unlink()
    with pytest.raises(ArtifactError, match=r"expected current metrics in .*, found none; run `nf bench`"):
        compare(run)
    (line,) = caplog.messages
    assert "other settings, images or models: ipguard, akh, random; run `nf bench ipguard`" in line


def test_variants_of_other_settings_or_models_are_left_out_with_a_warning(run, caplog):
    kept = [write(run, "none", seed) for seed in (0, 10)]
    write(with_variants(run, queries=4), "none", 1)
    write(with_variants(run, common={"naturalfinger": {"epochs": 3}}), "label", 0)
    without_basis = {"variant": "label", "seed": 1}  # as written before there was one
    write_json(run.layout.variant(VariantId("label", 1)), without_basis)
    assert list(comparison_variants(run)) == kept
    with pytest.raises(ArtifactError, match="expected current metrics"):
        compare(run)
    (line,) = caplog.messages
    assert "other settings, images or models: none-1, label-0, label-1; run `nf variant none-1`" in line

    write_json(run.layout.zoo / "summary.json", {"models": ["built anew"]})
    assert comparison_variants(run) == ()
    (run.layout.zoo / "summary.json").unlink()  # a zoo that is being built
    assert comparison_variants(run) == ()


def test_the_basis_of_a_variant_of_the_paper_has_all_training_models(run):
    assert variant_basis(run, "none")["models"] == run.profile.variants.models == 1
    assert variant_basis(run, "paper")["models"] is None


def test_the_basis_of_a_variant_is_its_own_settings(run):
    section = run.profile.section("schemes", "naturalfinger")
    found = variant_basis(run, "none")["settings"]
    assert found == {
        **section,
        **run.profile.variants.common["naturalfinger"],
        **run.profile.variants.each["none"].changes,
    }
    assert found != variant_basis(run, "label")["settings"]
