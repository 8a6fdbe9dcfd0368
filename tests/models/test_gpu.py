"""The first things to run where there is a GPU: recorded updates do what plain ones do."""

from dataclasses import replace

import pytest
import torch

from nf.attacks import Job, run_attack
from nf.core.config import TrainingConfig
from nf.data import Augment
from nf.models import accuracy, build_classifier, fit
from nf.models.engine import ENGINES, record_cuda_graph

pytestmark = pytest.mark.gpu

TUNING = {"epochs": 2, "batch_size": 32, "learning_rate": 0.005}


@pytest.fixture
def fresh(splits):
    def build(architecture="resnet18"):
        model = build_classifier(
            architecture, width=0.125, in_channels=1, num_classes=10, mean=splits.mean, std=splits.std, seed=0
        )
        return model.cuda()

    return build


def arrays(part):
    return torch.from_numpy(part.images), torch.from_numpy(part.labels)


def recorded_and_plain(monkeypatch, make):
    """What ``make`` gives with recorded updates and with plain ones, the rest being equal."""
    recorded = make()
    monkeypatch.setitem(ENGINES, "cuda", replace(ENGINES["cuda"], record=None))
    return recorded, make()


@pytest.mark.parametrize("architecture", ["resnet18", "googlenet", "shufflenet_v2"])
def test_a_recorded_update_is_the_plain_one(monkeypatch, caplog, fresh, splits, architecture):
    """A few updates: after more, rounding in another order has grown into another network."""
    images, labels = (tensor[:250] for tensor in arrays(splits["A"]))

    def make():
        model = fresh(architecture)
        fit(model, images, labels, TrainingConfig(1, 32, 0.01), seed=0, augment=Augment(2, True))
        return model

    recorded, plain = recorded_and_plain(monkeypatch, make)
    assert "cannot be recorded" not in caplog.text
    start = dict(fresh(architecture).named_parameters())
    for (name, a), (_, b) in zip(recorded.named_parameters(), plain.named_parameters(), strict=True):
        moved = (b - start[name]).norm()
        assert (a - b).norm() <= 0.05 * moved + 1e-5, name


def test_it_learns_as_on_the_cpu(fresh, splits):
    model = fresh()
    fit(model, *arrays(splits["A"]), TrainingConfig(8, 64, 0.2), seed=0, augment=Augment(2, False))
    assert accuracy(model, *arrays(splits["test"])) > 0.9


@pytest.mark.parametrize(
    ("attack", "level", "data", "section", "least"),
    [
        ("finetune", "FTAL", "finetune", TUNING, 0.8),
        ("finetune", "RTLL", "finetune", {**TUNING, "learning_rate": 0.05}, 0.8),
        ("prune", "0.5", "finetune", TUNING, 0.8),
        ("noise", "3", "finetune", TUNING, 0.8),
        ("adversarial", "0.5", "finetune", {**TUNING, "steps": 2}, 0.8),
        ("distill", "", "A", {}, 0.8),
        ("knockoff", "", "knockoff", {}, 0.15),
    ],
)
def test_every_attack_can_be_recorded(caplog, fresh, splits, victims, attack, level, data, section, least):
    victim = victims["source"].cuda()
    try:
        job = Job(level, data, splits, victim, fresh, TrainingConfig(6, 64, 0.2), Augment(2, False), 0)
        outcome = run_attack(attack, section, job)
    finally:
        victims["source"].cpu()  # the other tests of this session have it on the CPU
    assert "cannot be recorded" not in caplog.text
    assert accuracy(outcome.model, *arrays(splits["test"])) > least
    if attack == "prune":
        assert outcome.facts["sparsity"] == pytest.approx(0.5, abs=1e-3)


def test_replays_draw_new_random_numbers(fresh, splits):
    """The start of PGD is drawn inside the recording."""
    generator = torch.Generator("cuda").manual_seed(0)
    drawn_on_gpu = torch.zeros(64, device="cuda")
    calls = torch.zeros(1, dtype=torch.int64, device="cuda")

    def objective(model, images, targets):
        drawn_on_gpu.scatter_(0, calls, torch.rand(1, generator=generator, device="cuda"))
        calls.add_(1)
        return torch.nn.functional.cross_entropy(model(images), targets)

    images, labels = (tensor[:320] for tensor in arrays(splits["A"]))
    fit(fresh(), images, labels, TrainingConfig(1, 32, 0.01), seed=0, objective=objective, draws_from=[generator])
    drawn = drawn_on_gpu[: int(calls)].tolist()
    assert len(drawn) == len(set(drawn)) == 10


def test_work_on_tensors_of_both_devices_is_refused():
    with pytest.raises(RuntimeError, match="same device"):
        torch.ones(3, device="cuda") + torch.ones(3)
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(3, device="cuda", generator=torch.Generator())
    with pytest.raises(TypeError, match="numpy"):
        torch.ones(3, device="cuda").numpy()


def test_recording_computes_nothing_and_a_replay_repeats_the_kernels_only():
    runs, total = [], torch.zeros((), device="cuda")

    def update(batch):
        runs.append(len(runs))
        total.add_(batch.sum() * len(runs))
        return total * 2

    with ENGINES["cuda"].running(update, total.device, ()) as step:
        returned = [float(step(torch.ones(2, device="cuda"))) for _ in range(6)]
    assert len(runs) == 4, "three plain calls and a recording"
    assert returned == [4.0, 12.0, 24.0, 40.0, 56.0, 72.0]


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda batch, _: batch.sum().item(),
        lambda batch, _: batch + torch.ones(2).to("cuda"),
        lambda batch, unlisted: batch + torch.rand(2, device="cuda", generator=unlisted),
    ],
    ids=["waits for the device", "copies from the host", "draws from an unknown generator"],
)
def test_what_cannot_be_recorded_says_so(forbidden):
    """The last of this file: what a failed recording leaves behind is CUDA's."""
    batch, unlisted = torch.ones(2, device="cuda"), torch.Generator("cuda").manual_seed(0)
    forbidden(batch, unlisted)  # is no error outside of a recording
    with torch.cuda.stream(torch.cuda.Stream()), pytest.raises(RuntimeError):
        record_cuda_graph(lambda: forbidden(batch, unlisted), ())
