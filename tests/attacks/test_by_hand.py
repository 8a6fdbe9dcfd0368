"""Attacks against plain loops, on untrained networks: what they learn from is what counts here."""

import copy
from dataclasses import replace

import pytest
import torch

from nf.attacks import Job, run_attack
from nf.core.config import TrainingConfig
from nf.data import Augment
from nf.models import build_classifier, fit, predict

QUICK = TrainingConfig(1, 64, 0.1)


@pytest.fixture
def job(splits, build):
    """An attack on an untrained victim, with few images and augmentation."""
    few = replace(splits, parts={name: part.take(range(100)) for name, part in splits.parts.items()})

    def make(level="", data="A"):
        def fresh():
            return build_classifier(**build, seed=2)

        victim = build_classifier(**build, seed=1).eval()
        return Job(level, data, few, victim, fresh, QUICK, Augment(2, True), seed=7)

    return make


def same(first, second):
    return all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))


def test_adversarial_training_attacks_its_share_of_each_batch_in_eval_mode(job):
    """PGD's steps see round(level * n) images in eval mode, the update n and these in training mode."""
    asked = []
    attack = job("0.3", "finetune")
    # A copy of the victim keeps what hooks it has.
    attack.victim.register_forward_hook(lambda model, images, _: asked.append((model.training, len(images[0]))))
    outcome = run_attack("adversarial", {"epochs": 1, "batch_size": 60, "steps": 2}, attack)
    assert asked == [(False, 15), (False, 15), (True, 65)] * 2  # batches of 50
    assert not outcome.model.training


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_hintons_loss_at_the_temperature(job, temperature):
    """Weights after an epoch are those of T² KL(teacher || student), written out, with both softmaxes at T."""
    attack = job()

    def objective(student, images, _):
        with torch.no_grad():
            wanted = (attack.victim(images) / temperature).softmax(1)
        given = (student(images) / temperature).softmax(1)
        return temperature**2 * (wanted * (wanted.log() - given.log())).sum(1).mean()

    made = run_attack("distill", {"temperature": temperature}, attack).model
    expected = attack.fresh()
    attack.fit(expected, QUICK, objective=objective)
    for name, tensor in expected.state_dict().items():
        torch.testing.assert_close(made.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)


def test_temperature_changes_what_a_student_learns(job):
    first, other = (run_attack("distill", {"temperature": each}, job()).model for each in (1.0, 4.0))
    assert not same(first, other)


def test_knockoff_learns_the_answers_to_the_images_as_they_were_asked(job):
    """No augmentation, whatever the job's; targets are the victim's probabilities of these very images."""
    attack = job(data="knockoff")
    made = run_attack("knockoff", {}, attack).model
    expected = attack.fresh()
    answers = predict(copy.deepcopy(attack.victim), attack.images()).softmax(1)
    fit(expected, attack.images(), answers, QUICK, seed=attack.seed)
    assert same(made, expected)
