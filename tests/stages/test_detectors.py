"""Whoever trains detectors without a query judges them by images that they have not learned from."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nf.core.files import read_json
from nf.models import build_classifier, save_model
from nf.stages.detectors import detectors
from nf.stages.run import Run

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def run(tmp_path, splits, build):
    """The smoke profile with an untrained source model and a GAN that takes two steps."""
    run = Run.open("smoke", params=PARAMS, out=tmp_path)
    splits.save(run.layout.data)
    save_model(run.layout.zoo / "source", build_classifier(**build, seed=0), build, {"id": "source"})
    gans = {"sagan": {**run.profile.gans["sagan"], "steps": 2}}
    return replace(run, profile=replace(run.profile, gans=gans))


def test_normal_images_to_learn_from_are_the_finetuning_split_and_those_to_judge_by_the_test_split(
    run, splits, monkeypatch
):
    stage, learned, judged = sys.modules["nf.stages.detectors"], [], []
    train, share = stage.train_detector, stage.abnormal_share

    def watched_train(normal, abnormal, config, *, seed):
        learned.append((contents(normal), contents(abnormal)))
        return train(normal[:20], abnormal[:20], config, seed=seed)

    def watched_share(detector, images):
        judged.append(contents(images))
        return share(detector, images[:20])

    monkeypatch.setattr(stage, "train_detector", watched_train)
    monkeypatch.setattr(stage, "abnormal_share", watched_share)
    card = read_json(detectors(run, "sagan") / "card.json")
    assert {kind: len(runs) for kind, runs in card["accuracy"].items()} == {"naive": 2, "other_gan": 2}
    assert {normal == contents(splits["finetune"].images) for normal, _ in learned} == {True}
    assert judged.count(contents(splits["test"].images)) == len(learned) == 4
    known = set.union(*(normal | abnormal for normal, abnormal in learned))
    assert not known & set.union(*judged)


def contents(images):
    """The images as a set of bytes."""
    return {np.asarray(image).tobytes() for image in images}
