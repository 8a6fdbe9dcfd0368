"""How long a network must learn to be as good as the owner's model."""

import numpy as np
import pytest
import torch

from nf.core.config import NetworkConfig
from nf.core.errors import TrainingError
from nf.core.interface import Interface
from nf.data import Augment, LabelledImages, RawData
from nf.owner import pilot
from nf.owner.pilot import MOST_PASSES, Course, needed, train_pilots
from tests.owner.conftest import CLASSES, draw

SIZE = 16


def course(train=400, test=200, **changes):
    raw = RawData(
        LabelledImages(*draw(train, 1, SIZE)), LabelledImages(*draw(test, 2, SIZE)) if test else None, CLASSES
    )
    usual = {"widths": {"default": 0.125}, "images": 300, "most_epochs": 40, "augment": Augment(2, flip=False)}
    return Course(raw, **usual | changes)


@pytest.mark.parametrize(
    ("errors", "wanted", "passes"),
    [
        ({}, 0.1, MOST_PASSES),  # nothing is known
        ({1000: 0.1}, 0.2, 1000),  # at once
        ({1000: 0.4, 4000: 0.2}, 0.1, 16_000),  # halved by four times as many
        ({1000: 0.4, 4000: 0.1}, 0.2, 2000),  # between two tries
        ({1000: 0.4, 4000: 0.39}, 0.3, 9591),  # hardly better: by the least slope
        ({1000: 0.4, 4000: 0.39}, 0.01, MOST_PASSES),
        ({1000: 0.4, 4000: 0.2}, None, 4000),  # nobody knows how good it has to be
        ({1000: 0.4, 4000: 0.2}, 0.0, MOST_PASSES),
        ({1000: 0.4, 4000: 0.0}, 0.0, 4000),
    ],
)
def test_the_error_falls_as_a_power_of_what_was_learned_from(errors, wanted, passes):
    assert needed(errors, wanted) == pytest.approx(passes, abs=1)


def test_a_network_learns_until_it_is_good_enough(monkeypatch):
    monkeypatch.setattr(pilot, "TRIES", (600, 6_000))
    lines = []
    easy = train_pilots(course(), ["resnet18"], 0.3, say=lines.append)["resnet18"]
    hard = train_pilots(course(), ["resnet18"], 0.999)["resnet18"]
    assert easy.passes == 600
    assert 0.3 <= easy.reached < hard.reached
    assert 600 < hard.passes <= MOST_PASSES
    assert 0 < hard.seconds < 0.1
    assert lines == [f"pilot      resnet18 gets {easy.reached:.0%} right, will learn from 600 images"]


def test_a_network_from_outside_is_tried_as_it_wants_to_be_asked(monkeypatch):
    monkeypatch.setattr(pilot, "TRIES", (600,))
    alike = NetworkConfig("torchvision:shufflenet_v2_x0_5", interface=Interface(channels="rgb", size=(32, 32)))
    found = train_pilots(course(networks={"outside": alike}), ["outside"], 0.1)["outside"]
    assert found.model_seconds == found.passes * found.seconds > 0
    model, _ = course(networks={"outside": alike}).train("outside", course().parts()[0].take(np.arange(32)), 1)
    assert model.prepared(torch.zeros(1, 3, SIZE, SIZE)).shape == (1, 3, 32, 32)


def test_a_network_from_outside_learns_at_the_rate_that_suits_it(monkeypatch):
    """Errors as of a network that the first rate breaks, and that learns most at the last."""
    monkeypatch.setattr(pilot, "TRIES", (600, 1_200))
    asked = []

    def train(self, architecture, images, epochs, rate=pilot.RATES[0]):
        if len(images) == 300:
            asked.append((architecture, epochs, rate))
        if rate == pilot.RATES[0] and architecture == "outside":
            raise TrainingError("the loss is nan")
        return rate, 1e-3

    monkeypatch.setattr(Course, "train", train)
    monkeypatch.setattr(pilot, "accuracy", lambda rate, *_: 0.5 - rate)
    networks = {"outside": NetworkConfig("torchvision:shufflenet_v2_x0_5")}
    found = train_pilots(course(networks=networks), ["resnet18", "outside"], 0.9)
    assert [found[name].rate for name in ("resnet18", "outside")] == [pilot.RATES[0], pilot.RATES[-1]]
    assert found["outside"].reached == pytest.approx(0.5 - pilot.RATES[-1])
    tried = [("resnet18", 2, 0.2), ("resnet18", 4, 0.2), *(("outside", 2, rate) for rate in pilot.RATES)]
    assert asked == [*tried, ("outside", 4, pilot.RATES[-1])]


def test_what_takes_too_long_is_not_tried():
    lines = []
    slow = train_pilots(course(), ["resnet18"], 0.9, patience=0.0, say=lines.append)["resnet18"]
    assert (slow.passes, slow.reached) == (MOST_PASSES, None)
    assert "is too slow to try" in lines[0]


def test_no_image_is_learned_from_and_asked():
    train, test = course(test=0).parts()
    assert (len(train), len(test)) == (300, 80)
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in test.images)
    train, test = course(most_epochs=1).parts()
    assert (len(train), len(test)) == (300, 200)
    assert set(np.unique(test.labels)) == set(range(len(CLASSES)))
