"""``nf.protect``: a model and images in memory become a calibrated query set, as in a notebook."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import nf
from nf.core.config import NetworkConfig
from nf.core.errors import ConfigError
from nf.owner import plan as plans
from nf.owner.pilot import Pilot
from tests.owner.conftest import CLASSES, draw, small, train_outside

SIZE = 16


@pytest.fixture
def hasty(monkeypatch):
    """The plan of an owner in a hurry, with a tenth of its models, GAN and candidates."""
    few = {"copies": 0, "students": 5, "independent": 3, "independent_offspring": 0, "twins": 3, "twin_offspring": 0}
    one = ("resnet18",)
    tiny = replace(plans.SIZES[-1], architectures=one, suspects=one, training=(one, 1), calibration=few)
    monkeypatch.setattr(plans, "SIZES", (tiny,))
    monkeypatch.setattr(plans, "train_pilots", lambda _, names, *__, **___: dict.fromkeys(names, Pilot(600, 1e-3, 0.9)))
    monkeypatch.setattr(plans, "_USUAL", NetworkConfig("tests.owner.conftest:small"))
    monkeypatch.setattr(plans, "_seconds_a_step", lambda *_: 1.0)
    whole = plans.profile_section

    def less(*arguments, **settings):
        section = whole(*arguments, **settings)
        section["gans"]["sagan"] |= {"steps": 60, "checkpoint_every": 60, "ema_start": 10}
        section["schemes"]["naturalfinger"] |= {"candidates": 400, "shortlist": 60, "max_rounds": 20, "epochs": 5}
        section["zoo"]["levels"] = {key: [] for key in ("finetune", "prune", "noise", "adversarial")}
        return {**section, "queries": 10, "levels": {"independent": 0.3, "trained": 0.3}}

    monkeypatch.setattr(plans, "profile_section", less)


def test_a_module_in_memory_gets_a_query_set(hasty, tmp_path):
    images, labels = draw(240, 1, SIZE)
    network = small(len(CLASSES))
    train_outside(network, images, labels, epochs=8)
    was_training = network.train().training
    queries = nf.protect(
        network,
        images,
        labels,
        test=draw(80, 2, SIZE),
        class_names=CLASSES,
        interface=nf.Interface(channels="rgb", range=(0, 1), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        image_size=SIZE,
        minutes=5,
        out=tmp_path,
    )
    assert len(queries) == 10
    assert network.training == was_training
    assert queries.calibration is not None
    assert {model.group for model in queries.calibration.models} == {"thief", "twin"}
    honest = {model.id.split("-")[1] for model in queries.calibration.models if model.group == "twin"}
    assert honest == {"resnet18", "torchvision_resnet18"}
    assert {model.kind for model in queries.calibration.models if model.group == "thief"} == {"distill", "knockoff"}
    with torch.no_grad():
        x = torch.from_numpy(queries.images).float() / 255
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        given = network.eval()((x - mean) / std).argmax(1).numpy()
    assert (given == queries.labels).all()
    verdict = nf.decide(nf.Answers(queries.labels), queries)
    assert verdict.independent is None
    assert verdict.trained is not None
    assert verdict.outcome in ("stolen", "not shown")


def test_images_of_another_type_are_refused(tmp_path):
    images, labels = draw(8, 1, SIZE)
    with pytest.raises(ConfigError, match="expected uint8"):
        nf.protect("model.onnx", images.astype(np.float32), labels, out=tmp_path)
