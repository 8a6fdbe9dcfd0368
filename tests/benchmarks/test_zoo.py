"""The plain loop of ``benchmarks/zoo.py`` stands where training's own does, for every attack."""

import inspect

import pytest

from benchmarks import zoo
from nf.attacks import ATTACKS, Job, run_attack
from nf.core.config import TrainingConfig
from nf.data import Augment
from nf.models import build_classifier, fit

LEVELS = {"finetune": "RTAL", "prune": "0.5", "noise": "3", "adversarial": "0.3"}


def test_it_takes_what_attacks_give():
    assert list(inspect.signature(zoo.plain_fit).parameters) == list(inspect.signature(fit).parameters)


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_trains_by_it(attack, build, victims, splits, monkeypatch):
    calls = []

    def plain_fit(*arguments, **options):
        calls.append(attack)
        return zoo.plain_fit(*arguments, **options)

    for module in zoo.callers_of_fit():
        monkeypatch.setattr(module, "fit", plain_fit)

    def fresh():
        return build_classifier(**build, seed=1)

    data = "knockoff" if attack == "knockoff" else "finetune"
    schedule = TrainingConfig(1, 64, 0.1)
    job = Job(LEVELS.get(attack, ""), data, splits, victims["source"], fresh, schedule, Augment(2, False), seed=3)
    section = {"epochs": 1, "batch_size": 64} if attack in LEVELS else {}
    outcome = run_attack(attack, section, job)
    assert calls == [attack]
    assert not outcome.model.training
