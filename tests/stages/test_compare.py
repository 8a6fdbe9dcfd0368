from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from nf.core.errors import ArtifactError
from nf.core.files import read_json, sha256_json, write_json
from nf.core.lineage import SOURCE_ID
from nf.core.queries import QuerySet
from nf.core.sections import parse_section
from nf.core.variants import VariantId
from nf.fingerprints import make_scheme
from nf.gan import find_gan, gan_digest
from nf.stages.compare import compare, comparison_detection, comparison_variants, evaluated_schemes
from nf.stages.freshness import query_set_is_current, variant_basis
from nf.stages.record import gather
from nf.stages.run import Run
from nf.zoo import ZooPlan

HASHES = {"A": "owner's", "B": "others'", "test": "for tests"}
DATA = {
    "hashes": {**HASHES, "finetune": "thief's", "knockoff": "scribbles"},
    "sizes": {},
    "class_names": list("0123456789"),
    "image_shape": [1, 16, 16],
    "mean": [0.3],
    "std": [0.3],
}
EXTRACTION = {"faithful": None}
CARD = {"id": "source", "attack": "train", "pool": "suspects", "test_accuracy": 0.9}
PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def run(tmp_path):
    run = Run.open("smoke", params=PARAMS, out=tmp_path)
    write_json(run.layout.data / "card.json", DATA)
    write_summary(run)
    write_gan(run)
    return run


def write_summary(run, *models):
    """The zoo's summary as it is written for the run's profile."""
    summary = {"models": ["current", *models], "plan": ZooPlan(run.profile, DATA).digest, "extraction": EXTRACTION}
    write_json(run.layout.zoo / "summary.json", summary)


def write_gan(run, weights="weights"):
    """The card of a GAN that was trained as the run's profile says."""
    config = asdict(parse_section(find_gan("sagan").config, run.profile.gans["sagan"], "gans.sagan"))
    write_json(run.layout.gan("sagan") / "card.json", {"config": config, "sha256": weights})


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


def test_a_record_leaves_out_what_a_comparison_leaves_out_and_what_is_damaged(run, caplog):
    evaluated(run, "naturalfinger")
    evaluated(with_profile(run, queries=8), "akh")
    evaluated(run, "random")
    for name in ("naturalfinger", "akh", "random"):
        digest = QuerySet.load(run.layout.fingerprint(name)).digest
        write_json(run.layout.metrics(name), {"query_set": digest, "aruc": 0.5})
    (run.layout.fingerprint("random") / "queries.safetensors").write_bytes(b"junk")
    write_json(run.layout.zoo / "source" / "card.json", CARD)
    found = gather(run, "")
    assert found["schemes"].keys() == {"naturalfinger"}
    assert found["n"]["queries"] == run.profile.queries
    stale, damaged = caplog.messages
    assert "akh.json is left out of the record, as it is of other settings" in stale
    assert "random is left out of the record" in damaged


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
    write_summary(run, "built anew")
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


def with_zoo(run, **changes):
    return with_profile(run, zoo=replace(run.profile.zoo, **changes))


def longer(run):
    """The run with other settings of training, under which nothing is built yet."""
    return with_zoo(run, training=replace(run.profile.zoo.training, epochs=99))


def with_gan(run, **changes):
    return with_profile(run, gans={**run.profile.gans, "sagan": {**run.profile.gans["sagan"], **changes}})


def test_variants_of_other_recipes_or_another_gan_are_left_out(run):
    kept = write(run, "none", 0)
    assert comparison_variants(run) == (kept,)
    assert comparison_variants(longer(run)) == ()
    assert comparison_variants(with_zoo(run, plus=replace(run.profile.zoo.plus, defences=("jpeg", "blur")))) == ()
    assert comparison_variants(with_gan(run, steps=61)) == ()
    write_gan(run, "other weights")
    assert comparison_variants(run) == ()


def test_variants_from_before_the_plan_was_recorded_are_judged_by_what_they_record(run):
    record = write(run, "none", 0)
    old = {**record, "basis": {key: value for key, value in record["basis"].items() if key not in ("plan", "gans")}}
    write_json(run.layout.variant(VariantId("none", 0)), old)
    assert comparison_variants(run) == (old,)
    assert comparison_variants(longer(run)) == ()
    write_summary(run, "built anew")
    assert comparison_variants(run) == ()


def test_query_sets_of_other_recipes_or_another_gan_are_not_current(run):
    evaluated(run, "naturalfinger")
    assert query_set_is_current(longer(run), "naturalfinger")  # made before its card said of which models
    plan = ZooPlan(run.profile, DATA)
    models = [spec.id for pool in ("training", "calibration") for spec in plan.lineage.select(pool=pool)]
    made_from = {
        "models": sha256_json({model_id: plan.hashes[model_id] for model_id in (SOURCE_ID, *models)}),
        "gans": {"sagan": gan_digest(run.layout.gan("sagan"))},
    }
    made = QuerySet.load(run.layout.fingerprint("naturalfinger"))
    replace(made, card={**made.card, "made_from": made_from}).save(run.layout.fingerprint("naturalfinger"))
    assert query_set_is_current(run, "naturalfinger")
    assert not query_set_is_current(longer(run), "naturalfinger")
    assert not query_set_is_current(with_gan(run, steps=61), "naturalfinger")
    write_gan(run, "other weights")
    assert not query_set_is_current(run, "naturalfinger")
    (run.layout.gan("sagan") / "card.json").unlink()
    assert not query_set_is_current(run, "naturalfinger")
    assert read_json(run.layout.fingerprint("naturalfinger") / "card.json")["digest"] == made.digest
