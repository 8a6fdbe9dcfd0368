"""A builder that was sent to another process, as Dask does it."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from nf.core.config import load_profile
from nf.core.errors import ArtifactError
from nf.zoo import ModelBuilder, ZooPlan
from nf.zoo.workers import _load_once

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def builder(splits, tmp_path):
    splits.save(tmp_path / "data")
    profile = load_profile(PARAMS, "smoke")
    profile = replace(profile, zoo=replace(profile.zoo, training=replace(profile.zoo.training, epochs=1)))
    return ModelBuilder(ZooPlan(profile, splits.card), tmp_path / "data", tmp_path / "zoo")


def test_what_is_there_is_returned_and_not_built_again(builder):
    sent = pickle.loads(pickle.dumps(builder))
    card, _ = sent.build("source")
    assert card["recipe"] == builder.plan.hashes["source"]
    path = builder.folder / "source" / "weights.safetensors"
    before = path.stat().st_mtime_ns
    (builder.splits_folder / "images.safetensors").unlink()
    assert sent.build("source")[0] == card
    assert path.stat().st_mtime_ns == before


def test_a_child_needs_its_parent(builder):
    with pytest.raises(ArtifactError, match=r"expected a JSON file at .*zoo/source/card\.json, found nothing"):
        builder.build("prune-0.5-source")


def test_images_are_read_once_until_they_change(builder):
    first = _load_once(builder.splits_folder, "one hash")
    assert _load_once(builder.splits_folder, "one hash") is first
    assert _load_once(builder.splits_folder, "another hash") is not first
