"""``nf.protect``: a model and images in memory become a calibrated query set, as in a notebook."""

import importlib
import shutil
import sqlite3
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import nf
from nf.core.config import NetworkConfig
from nf.core.errors import ArtifactError, ConfigError, NFError
from nf.core.files import sha256_file
from nf.owner import plan as plans
from nf.owner.pilot import Pilot
from nf.owner.protect import _export
from nf.stages.gan import SAMPLES_ALONG_THE_WAY
from tests.owner.conftest import CLASSES, draw, prepared, small, train_outside

SIZE, SHORTLIST, ROUNDS = 16, 60, 20


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
        section["gans"]["sagan"] |= {"generator_channels": 8, "discriminator_channels": 8}
        few = {"candidates": 400, "shortlist": SHORTLIST, "max_rounds": ROUNDS, "epochs": 5}
        section["schemes"]["naturalfinger"] |= few
        section["zoo"]["levels"] = {key: [] for key in ("finetune", "prune", "noise", "adversarial")}
        one = {"workers": 1}  # to begin, another process takes longer than all these models
        return {**section, "queries": 10, "levels": {"independent": 0.3, "trained": 0.3}, "execution": one}

    monkeypatch.setattr(plans, "profile_section", less)


@pytest.fixture
def costs(monkeypatch):
    """What each plan said that it will cost."""
    module, said = importlib.import_module("nf.owner.protect"), []

    def planned(*arguments, **settings):
        section, costs = plans.plan_profile(*arguments, **settings)
        said.append(costs)
        return section, costs

    monkeypatch.setattr(module, "plan_profile", planned)
    return said


def count_asked(out) -> int:
    """How many images the owner's model was asked."""
    with sqlite3.connect(out / "own" / "answers.sqlite") as store:
        ((asked,),) = store.execute("select count(*) from answers")
    return int(asked)


def test_a_module_in_memory_gets_a_query_set(hasty, costs, tmp_path):
    images, labels = draw(240, 1, SIZE)
    network = small(len(CLASSES))
    train_outside(network, images, labels, epochs=8)
    was_training = network.train().training
    test_images, test_labels = draw(80, 2, SIZE)
    test_labels[::5] = (test_labels[::5] + 1) % len(CLASSES)  # what the network gets wrong
    make = partial(
        nf.protect,
        network,
        images,
        labels,
        test=(test_images, test_labels),
        class_names=CLASSES,
        interface=nf.Interface(channels="rgb", range=(0, 1), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        image_size=SIZE,
        minutes=5,
        out=tmp_path,
    )
    queries = make()
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
    asked = count_asked(tmp_path)
    (cost,) = costs
    assert asked <= cost.asked
    assert asked > cost.asked - ROUNDS * SHORTLIST - SAMPLES_ALONG_THE_WAY  # as the search ends once it has enough

    shutil.rmtree(tmp_path / "own" / "gan")
    mistakes = make(scheme="akh")
    assert len(mistakes) == 10
    assert mistakes.calibration is not None
    assert mistakes.calibration.models == queries.calibration.models
    assert mistakes.calibration.candidates == sum(mistakes.card["mistakes"].values())
    assert mistakes.card["mistakes"]["test"] >= 10
    assert not (tmp_path / "own" / "gan").exists()  # it needs none


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"minutes": 0}, "minutes: expected a number above 0, got 0"),
        ({"scheme": "metav"}, "unknown scheme 'metav': expected one of akh, naturalfinger"),
        ({"name": "../elsewhere"}, "profile name: expected a letter"),
    ],
)
def test_what_cannot_be_wished_for_is_refused_before_anything_is_read_or_written(tmp_path, wish, said):
    images, labels = draw(20, 1, SIZE)
    with pytest.raises(NFError, match=said):
        nf.protect("no model", images, labels, out=tmp_path / "out", **wish)
    assert not (tmp_path / "out").exists()


def test_without_a_test_part_the_model_and_its_copies_get_a_verdict(hasty, tmp_path):
    """The control images are among those that it learned from: it gets all right, and no honest model does."""
    images, labels = draw(400, 1, SIZE)
    labels[::5] = (labels[::5] + 1 + np.arange(80) % 3) % len(CLASSES)  # which can only be learned by heart
    network = small(len(CLASSES))
    train_outside(network, images, labels, epochs=60)
    how = nf.Interface(channels="rgb", range=(0, 1), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    queries = nf.protect(network, images, labels, interface=how, image_size=SIZE, minutes=5, out=tmp_path)

    class Source:
        output = "labels"

        @torch.no_grad()
        def __call__(self, images):
            return network(prepared(images)).argmax(1).numpy()

    assert (Source()(queries.controls.images) == queries.controls.labels).all()
    examined = nf.examine(Source(), queries)
    assert nf.decide(examined.answers, queries).outcome in ("stolen", "not shown")


def test_a_size_that_no_gan_draws_is_refused_before_any_work(tmp_path):
    images, labels = draw(8, 1, SIZE)
    with pytest.raises(ConfigError, match="image_size: expected one of 16, 32, 64, 128 pixels, got 48"):
        nf.protect("model.onnx", images, labels, image_size=48, out=tmp_path)


def test_a_module_is_written_whole_for_its_owner_alone_or_not_at_all(tmp_path, monkeypatch):
    images, _ = draw(8, 1, SIZE)
    network, path = small(len(CLASSES)), tmp_path / "given" / "model.pt2"
    digests = set()
    for _ in range(2):
        _export(network, images, path, None)
        digests.add(sha256_file(path))
    assert len(digests) == 1
    assert path.stat().st_mode & 0o777 == 0o600

    def full(program, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.export, "save", full)
    with pytest.raises(ArtifactError, match=r"cannot write .*model.pt2: No space left on device"):
        _export(network, images, path, None)
    assert [each.name for each in path.parent.iterdir()] == ["model.pt2"]
    assert sha256_file(path) in digests


def test_images_of_another_type_are_refused(tmp_path):
    images, labels = draw(8, 1, SIZE)
    with pytest.raises(ConfigError, match="expected uint8"):
        nf.protect("model.onnx", images.astype(np.float32), labels, out=tmp_path)
