"""How a GPU trains, checked on the CPU: a recording that runs what was recorded stands for a CUDA graph."""

import logging

import pytest
import torch

from nf.core.config import TrainingConfig
from nf.data import Augment
from nf.models import accuracy, build_classifier, fit
from nf.models.engine import ENGINES, Engine, RecordedUpdate

CONFIG = TrainingConfig(2, 32, 0.1, clip_norm=1.0)


@pytest.fixture
def trained(monkeypatch, splits):
    """A function (engine, **options) -> the weights that ``fit`` reaches with it."""

    def train(engine, config=CONFIG, **options):
        monkeypatch.setitem(ENGINES, "cpu", engine)
        model = build_classifier(
            "resnet18", width=0.0625, in_channels=1, num_classes=10, mean=splits.mean, std=splits.std, seed=0
        )
        images, labels = (torch.from_numpy(array[:300]) for array in (splits["A"].images, splits["A"].labels))
        fit(model, images, labels, config, seed=3, augment=Augment(2, False), **options)
        return model

    return train


def same(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_recorded_update_trains_to_the_same_bytes(trained):
    recordings = []

    def record(work, generators):
        recordings.append(generators)
        return work

    generator = torch.Generator()
    assert same(trained(Engine(record=record), draws_from=[generator]), trained(Engine()))
    assert recordings == [[generator]]  # 300 images in ten equal batches: one recording


def test_each_size_of_batch_is_recorded_once_after_three_plain_calls():
    log = []

    def update(images, targets):
        log.append(("run", len(images)))
        return images.sum() + targets.sum()

    def record(work, _):
        log.append("record")
        return work

    step = RecordedUpdate(update, (), record)
    for size in (4, 4, 4, 4, 4, 3, 3, 3, 3, 4):
        loss = step(torch.full((size, 1), 2.0), torch.ones(size))
        assert loss == 3 * size  # each call computes with its own batch
    assert log.count("record") == 2
    assert [entry for entry in log if entry != "record"] == [("run", n) for n in (4, 4, 4, 4, 4, 3, 3, 3, 3, 4)]
    assert log.index("record") == 3


def test_what_cannot_be_recorded_runs_plainly_and_says_so(trained, caplog):
    def refuse(work, generators):
        raise RuntimeError("operation not permitted when stream is capturing")

    with caplog.at_level(logging.WARNING):
        plain = trained(Engine(record=refuse))
    assert "cannot be recorded and is launched kernel by kernel: operation not permitted" in caplog.text
    assert same(plain, trained(Engine()))


@pytest.mark.parametrize("schedule", ["one_cycle", "constant"])
def test_the_fused_optimiser_follows_the_same_schedule(trained, schedule):
    """Its learning rate is a tensor that the schedule writes to."""
    config = TrainingConfig(1, 32, 0.05, schedule=schedule)
    fused, plain = trained(Engine(fused=True), config), trained(Engine(), config)
    for a, b in zip(fused.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_half_precision_learns_and_keeps_float32_weights(trained, splits):
    model = trained(Engine(half=True), TrainingConfig(12, 32, 0.2))
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert accuracy(model, torch.from_numpy(splits["A"].images), torch.from_numpy(splits["A"].labels)) > 0.8


def test_the_precision_that_is_asked_for_goes_before_the_devices_own(trained):
    single, half = trained(Engine()), trained(Engine(half=True))
    assert not same(single, half)
    assert same(trained(Engine(half=True), precision="float32"), single)
    assert same(trained(Engine(), precision="bfloat16"), half)


def test_no_gradients_are_left_behind(trained):
    assert all(p.grad is None for p in trained(Engine()).parameters())
