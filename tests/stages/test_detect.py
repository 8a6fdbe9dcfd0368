"""Detectors of others meet the queries; those that learned from the very GAN of these queries do not."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nf.core.errors import ArtifactError, ConfigError
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
    queries = QuerySet(splits["B"].images[:10], labels, labels, card)
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


def test_those_that_know_half_of_the_queries_are_judged_by_what_they_have_not_seen(run, splits, monkeypatch):
    """Normal images to learn from are the fine-tuning split, to judge by the test split; queries are one or other."""
    save(run, "theirs")
    stage, learned, judged = sys.modules["nf.stages.detect"], [], []
    train, share = stage.train_detector, stage.abnormal_share

    def watched_train(normal, abnormal, config, *, seed):
        learned.append((contents(normal), contents(abnormal)))
        return train(normal[:20], abnormal, config, seed=seed)

    def watched_share(detector, images):
        if learned:  # by a detector that was trained here
            judged.append(contents(images))
        return share(detector, images)

    monkeypatch.setattr(stage, "train_detector", watched_train)
    monkeypatch.setattr(stage, "abnormal_share", watched_share)
    detect(run, "naturalfinger")
    queries = contents(QuerySet.load(run.layout.fingerprint("naturalfinger")).images)
    assert len(queries) == 10
    assert len(learned) == 2
    for (normal, known), unknown, held_out in zip(learned, judged[::2], judged[1::2], strict=True):
        assert normal == contents(splits["finetune"].images)
        assert held_out == contents(splits["test"].images)
        assert known | unknown == queries
        assert len(known) == len(unknown) == 5


def contents(images):
    """The images as a set of bytes."""
    return {np.asarray(image).tobytes() for image in images}


def test_one_query_has_no_two_halves(run):
    save(run, "theirs")
    QuerySet(np.zeros((1, 1, 16, 16), np.uint8), *[np.zeros(1, np.int64)] * 2).save(run.layout.fingerprint("random"))
    with pytest.raises(ConfigError, match="queries: expected at least 2, of which a thief knows one half, got 1"):
        detect(run, "random")
