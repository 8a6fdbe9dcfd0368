"""Building in earnest, with the smoke profile: cut by a time budget, and with weights rounded to half."""

import itertools
import shutil
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nf.core.errors import TrainingError
from nf.core.files import read_json, sha256_file
from nf.models import accuracy, load_model
from nf.stages.prepare import prepare
from nf.stages.run import Run
from nf.stages.zoo import build_models, missing_models, plan_zoo, zoo
from nf.zoo import build_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The smoke profile with its images, and no model."""
    run = Run.open("smoke", params=ROOT / "params.yaml", out=tmp_path_factory.mktemp("out"))
    prepare(run)
    return run


def in_folder(prepared, folder):
    """The same, in a folder of its own."""
    shutil.copytree(prepared.layout.data, folder / "data")
    return replace(prepared, layout=replace(prepared.layout, root=folder))


def built(run):
    return {path.parent.name: sha256_file(path) for path in run.layout.zoo.glob("*/weights.safetensors")}


def test_a_budget_ends_at_a_model_and_the_next_machine_goes_on(prepared, tmp_path, monkeypatch):
    first = in_folder(prepared, tmp_path / "first")
    ticks = itertools.count()  # each look at the clock takes a second: three models are begun
    monkeypatch.setattr(sys.modules["nf.stages.zoo"], "monotonic", lambda: next(ticks))
    reached = zoo(first, max_seconds=4)
    models = built(first)
    assert (reached.built, reached.total) == (3, len(plan_zoo(first).lineage.specs))
    assert len(models) == 3
    assert "source" in models
    assert not (first.layout.zoo / "summary.json").exists()

    second = in_folder(prepared, tmp_path / "second")
    shutil.copytree(first.layout.zoo, second.layout.zoo)
    plan = plan_zoo(second)
    todo = missing_models(second, plan)
    assert {spec.id for spec in plan.lineage.specs} - set(todo) == set(models)
    left = build_models(second, plan, todo, max_seconds=2)
    assert left == todo[1:]
    assert built(second).items() > models.items()


class Workers:
    """Stand in for processes: the first model goes its way at once, others take until ``release``, or a moment."""

    def __init__(self, error=None):
        self.error, self.begun, self.release = error, [], threading.Event()

    def build(self, model_id):
        self.begun.append(model_id)
        if len(self.begun) > 1:
            self.release.wait(0.5)
        elif self.error:
            raise self.error


@pytest.mark.parametrize("error", [TrainingError("source diverged"), KeyboardInterrupt()], ids=["failure", "ctrl_c"])
def test_after_a_failure_or_ctrl_c_no_model_is_begun(error, prepared, monkeypatch):
    interrupted = isinstance(error, KeyboardInterrupt)  # the main thread gets it, whatever that does
    workers = Workers(None if interrupted else error)
    monkeypatch.setattr(sys.modules["nf.stages.zoo"], "open_workers", lambda run, plan: nullcontext(workers))

    def progress(done, total, what):
        raise error

    run = replace(prepared, progress=progress)
    plan, before = plan_zoo(run), set(threading.enumerate())
    todo = [spec.id for spec in plan.lineage.specs if spec.parent is None]
    threads = run.profile.execution.workers
    assert len(todo) > threads + 1
    with pytest.raises(type(error)) as caught:
        build_models(run, plan, todo)
    assert caught.value is error
    workers.release.set()
    for thread in set(threading.enumerate()) - before:
        thread.join()
    # What a second thread, and the first after its model, had begun by then.
    assert len(workers.begun) <= (threads + 1 if interrupted else threads)


def test_weights_rounded_to_half(prepared, splits, tmp_path):
    run = prepared
    zoo_config = replace(run.profile.zoo, weights="float16")
    half = plan_zoo(replace(run, profile=replace(run.profile, zoo=zoo_config)))
    card = build_model(half, "scratch-vgg13_bn", splits, tmp_path)
    stored = load_file(tmp_path / "scratch-vgg13_bn" / "weights.safetensors")
    model, read = load_model(tmp_path / "scratch-vgg13_bn")
    assert read == card
    rounded = {name for name, weight in model.named_parameters() if weight.ndim > 1}
    assert {name for name, tensor in stored.items() if tensor.dtype == torch.float16} == rounded
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32, torch.int64}
    assert all(torch.equal(model.state_dict()[name], stored[name].float()) for name in rounded)
    test = splits["test"]
    measured = accuracy(model, torch.from_numpy(test.images), torch.from_numpy(test.labels))
    assert card["test_accuracy"] == round(measured, 6)
    assert card["test_accuracy_unrounded"] == pytest.approx(measured, abs=0.02)


def test_rounding_is_part_of_every_recipe(prepared):
    plan = plan_zoo(prepared)
    rounded = replace(prepared.profile, zoo=replace(prepared.profile.zoo, weights="float16"))
    assert not set(plan.hashes.values()) & set(replace(plan, profile=rounded).hashes.values())


def test_precision_is_part_of_every_recipe_and_reaches_the_training(prepared, splits, tmp_path):
    plan = plan_zoo(prepared)
    faster = replace(plan, profile=replace(plan.profile, zoo=replace(plan.profile.zoo, precision="bfloat16")))
    assert not set(plan.hashes.values()) & set(faster.hashes.values())
    stored = []
    for folder, each in (("exact", plan), ("faster", faster)):
        build_model(each, "scratch-vgg13_bn", splits, tmp_path / folder)
        stored.append(load_file(tmp_path / folder / "scratch-vgg13_bn" / "weights.safetensors"))
    assert any(not torch.equal(stored[0][name], stored[1][name]) for name in stored[0])


def test_cards_of_float32_models_say_nothing_of_rounding(prepared, splits, tmp_path):
    card = build_model(plan_zoo(prepared), "scratch-vgg13_bn", splits, tmp_path)
    assert "weights" not in card
    assert "test_accuracy_unrounded" not in card
    assert read_json(tmp_path / "scratch-vgg13_bn" / "card.json") == card


def test_who_asks_what_is_missing_deletes_nothing(prepared, tmp_path, monkeypatch, caplog):
    run = in_folder(prepared, tmp_path)
    unlisted = run.layout.zoo / "scratch-alexnet"
    unlisted.mkdir(parents=True)
    missing = missing_models(run, plan_zoo(run))
    assert len(missing) == len(plan_zoo(run).lineage.specs)
    assert unlisted.exists()
    monkeypatch.setattr(sys.modules["nf.stages.zoo"], "build_models", lambda run, plan, todo, **more: todo)
    zoo(run)
    assert not unlisted.exists()
    assert caplog.messages == []


def test_a_scheduler_that_is_not_used_is_said(prepared, tmp_path, monkeypatch, caplog):
    run = in_folder(prepared, tmp_path)
    execution = replace(run.profile.execution, runner="dask", address="tcp://host:1")
    monkeypatch.setattr(sys.modules["nf.stages.zoo"], "build_models", lambda run, plan, todo, **more: todo)
    zoo(replace(run, profile=replace(run.profile, execution=execution)))
    (line,) = caplog.messages
    assert line == "execution.runner: dask is for `python -m flows stage zoo`; building on this machine"
