"""Detectors of others meet the queries; those that learned from the very GAN of these queries do not."""

import json
from pathlib import Path

import numpy as np
import pytest

from nf.core.errors import ArtifactError
from nf.core.queries import QuerySet
from nf.detection import save_detectors
from nf.detection.detector import build_detector
from nf.stages.detect import detect
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path, splits):
    run = Run.open("smoke", params=ROOT / "params.yaml", out=tmp_path)
    splits.save(run.layout.data)
    labels = np.zeros(10, np.int64)
    card = {"gan": {"name": "sagan", "generator": "ours"}}
    queries = QuerySet(splits["test"].images[:10], labels, labels, card)
    queries.save(run.layout.fingerprint("naturalfinger"))
    return run


def save(run, generator):
    card = {
        "gan": {"name": "wgan_gp", "generator": generator},
        "accuracy": {"naive": [{"normal": 0.5, "noise": 1.0}, {"normal": 1.0, "noise": 0.5}], "other_gan": [{}]},
    }
    detectors = [build_detector(1, seed=seed).eval() for seed in range(3)]
    save_detectors(run.layout.detectors, {"naive": detectors[:2], "other_gan": detectors[2:]}, card)


def test_each_kind_has_its_rate_and_its_accuracy(run):
    save(run, "theirs")
    record = json.loads(detect(run, "naturalfinger").read_text())
    assert record["naive"]["accuracy"] == {"normal": 0.75, "noise": 0.75}
    assert record["naive"]["detection_rate"] == pytest.approx(sum(record["naive"]["runs"]) / 2)
    assert record["other_gan"]["gan"] == "wgan_gp"
    assert [len(record[kind]["runs"]) for kind in ("naive", "other_gan", "half_of_queries")] == [2, 1, 2]
    assert set(record["half_of_queries"]["accuracy"]) == {"normal"}


def test_detectors_may_not_have_learned_from_the_gan_that_drew_the_queries(run):
    save(run, "ours")
    with pytest.raises(ArtifactError, match="than sagan, which drew these queries: run `nf detectors sagan`"):
        detect(run, "naturalfinger")


def test_without_detectors_it_says_what_is_missing(run):
    with pytest.raises(ArtifactError, match=r"detectors/card\.json, found nothing"):
        detect(run, "naturalfinger")
