"""What training computes is counted: checked by hand on small networks and single models."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import macs
from nf.core.config import load_profile
from nf.zoo import ZooPlan

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"A": 1000, "B": 1000, "finetune": 100, "knockoff": 500}


@pytest.fixture(scope="module")
def plan():
    return ZooPlan(load_profile(ROOT / "params.yaml", "cifar10"), data={})


def test_elements_of_a_forward_pass_by_hand():
    with torch.device("meta"):
        model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        every, joined = macs.forward_elements(model.eval(), torch.empty(1, 3, 8, 8))
    convolution, elementwise = (3 + 4) * 64, (4 + 4) * 64
    assert (every, joined) == (convolution + 2 * elementwise, convolution)


def test_macs_of_a_convolution_by_hand():
    with torch.device("meta"):
        assert macs.forward_macs(nn.Conv2d(3, 4, 3, padding=1), torch.empty(1, 3, 8, 8)) == 4 * 64 * 3 * 9


@pytest.mark.parametrize(
    ("model_id", "expected"),
    [
        ("scratch-vgg13_bn", lambda epochs: [("vgg13_bn", 1000 * epochs, 3)]),
        (
            "distill-vgg13_bn-source",
            lambda epochs: [("vgg13_bn", 1000 * epochs, 3), ("resnet18", 1000 * epochs, 1)],
        ),
        ("knockoff-vgg13_bn-source", lambda epochs: [("vgg13_bn", 500 * epochs, 3), ("resnet18", 500, 1)]),
        ("finetune-FTLL-source", lambda _: [("resnet18", 100 * 10, 1)]),
        ("finetune-RTAL-source", lambda _: [("resnet18", 100 * 10, 3)]),
        # Each example is attacked ten times, forward and back to the pixels, and then learned from.
        ("adversarial-0.5-source", lambda _: [("resnet18", 100 * 10, 3), ("resnet18", 500.0, 3 + 10 * 2)]),
    ],
)
def test_passes_of_one_model(plan, model_id, expected):
    assert list(macs.passes(plan.lineage[model_id], plan, SIZES)) == expected(plan.profile.zoo.training.epochs)


def test_sums_by_architecture_and_by_attack_are_those_of_the_models(plan):
    cost = {
        name: {"macs": 1.0, "step_numbers": 2.0, "step_numbers_joined": 1.0} for name in plan.profile.zoo.architectures
    }
    counted = macs.zoo(plan, SIZES, cost)
    total = sum(model["macs"] for model in counted["models"].values())
    for table in (counted["by_architecture"], counted["by_attack"]):
        assert sum(row["macs"] for row in table.values()) == pytest.approx(total)
        assert sum(row["models"] for row in table.values()) == len(counted["models"])


def test_a_stem_at_full_size_is_counted(plan):
    profile = plan.profile
    wanted = replace(profile, zoo=replace(profile.zoo, architectures=("resnet18", "vgg13_bn"), full_size=("resnet18",)))
    costs = macs.networks(wanted)
    halved = macs.networks(replace(wanted, zoo=replace(wanted.zoo, full_size=())))
    assert costs["resnet18"]["macs"] / halved["resnet18"]["macs"] == pytest.approx(4, rel=0.02)
    assert costs["vgg13_bn"] == halved["vgg13_bn"]
