import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from nf.attacks import ATTACKS, Job, run_attack
from nf.core.config import TrainingConfig
from nf.core.errors import ConfigError, UnknownNameError
from nf.data import Augment
from nf.models import accuracy, build_classifier, predict

LEVELS = {
    "train": "",
    "finetune": "FTAL",
    "prune": "0.5",
    "noise": "3",
    "adversarial": "0.3",
    "distill": "",
    "knockoff": "",
}
QUICK = {"epochs": 1, "batch_size": 64}
SECTIONS = {"finetune": QUICK, "prune": QUICK, "noise": QUICK, "adversarial": {**QUICK, "steps": 2}}
DATA = {"train": "A", "distill": "A", "knockoff": "knockoff"}


@pytest.fixture
def job(splits, build, victims):
    def make(attack, level=None, *, epochs=1, seed=7):
        def fresh():
            return build_classifier(**build, seed=seed)

        return Job(
            level=LEVELS[attack] if level is None else level,
            data=DATA.get(attack, "finetune"),
            splits=splits,
            victim=None if attack == "train" else victims["source"],
            fresh=fresh,
            training=TrainingConfig(epochs, 64, 0.1),
            augment=Augment(2, False),
            seed=seed,
        )

    return make


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(first, second, names):
    return all(torch.equal(first[name], second[name]) for name in names)


@pytest.mark.parametrize("attack", ATTACKS)
def test_contract(attack, job, victims, splits):
    """A usable model in eval mode, the same for the same seed; victim and global generator are left alone."""
    before, generator = state(victims["source"]), torch.get_rng_state()
    first = run_attack(attack, SECTIONS.get(attack, {}), job(attack))
    second = run_attack(attack, SECTIONS.get(attack, {}), job(attack))
    images = torch.from_numpy(splits["test"].images)
    logits = predict(first.model, images)
    assert logits.shape == (270, 10)
    assert bool(torch.isfinite(logits).all())
    assert not first.model.training
    assert same(first.model.state_dict(), second.model.state_dict(), first.model.state_dict())
    assert same(before, victims["source"].state_dict(), before)
    assert torch.equal(generator, torch.get_rng_state())
    assert not same(before, first.model.state_dict(), before)


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_trains_in_the_precision_of_its_job(attack, job):
    exact = run_attack(attack, SECTIONS.get(attack, {}), job(attack)).model.state_dict()
    rounded = run_attack(
        attack, SECTIONS.get(attack, {}), replace(job(attack), precision="bfloat16")
    ).model.state_dict()
    assert not same(exact, rounded, ["classifier.weight"])
    assert {name: tensor.dtype for name, tensor in rounded.items()} == {
        name: tensor.dtype for name, tensor in exact.items()
    }


@pytest.mark.parametrize(("mode", "all_layers", "forgets"), [
    ("FTLL", False, False), ("FTAL", True, False), ("RTLL", False, True), ("RTAL", True, True),
])  # fmt: skip
def test_fine_tuning_modes(mode, all_layers, forgets, job, victims):
    """LL moves the last layer only; RT starts it anew, so that with a rate of zero the answers are lost."""
    source = victims["source"].state_dict()
    tuned = run_attack("finetune", QUICK, job("finetune", mode)).model.state_dict()
    body = [name for name in source if name.startswith("body.")]
    assert same(source, tuned, body) != all_layers
    still = run_attack("finetune", {**QUICK, "learning_rate": 0.0}, job("finetune", mode)).model.state_dict()
    assert torch.equal(still["classifier.weight"], source["classifier.weight"]) != forgets


@pytest.mark.parametrize("ratio", ["0.1", "0.9"])
def test_pruned_weights_stay_zero_and_are_the_smallest(ratio, job, victims):
    outcome = run_attack("prune", QUICK, job("prune", ratio))
    assert outcome.facts["sparsity"] == pytest.approx(float(ratio), abs=0.005)
    source = dict(victims["source"].named_parameters())
    for name, weight in outcome.model.named_parameters():
        if weight.ndim > 1:
            kept = weight != 0
            assert float(source[name].detach()[~kept].abs().max()) <= float(source[name].detach()[kept].abs().min())
    norms = [p for p in outcome.model.body.parameters() if p.ndim == 1]
    assert all(bool((p != 0).any()) for p in norms)


def test_noise_has_the_stated_spread(job, victims):
    still = {**QUICK, "learning_rate": 0.0, "weight_decay": 0.0}
    noisy = dict(run_attack("noise", still, job("noise", "2")).model.named_parameters())
    for name, weight in victims["source"].named_parameters():
        added = (noisy[name] - weight).detach()
        if weight.ndim == 4 and weight.numel() > 2000:
            assert float(added.std()) == pytest.approx(float(weight.detach().std()) / 2, rel=0.1)
        elif weight.ndim != 4:
            assert not added.any()


def test_adversarial_training_helps_against_attacks(job, victims, splits):
    from nf.attacks import fgsm
    from nf.data import to_float

    section = {"epochs": 6, "batch_size": 32, "learning_rate": 0.02, "epsilon": 0.15, "step_size": 0.05, "steps": 4}
    hardened = run_attack("adversarial", section, job("adversarial", "1.0")).model
    images, labels = to_float(torch.from_numpy(splits["test"].images)), torch.from_numpy(splits["test"].labels)

    def robust_accuracy(model):
        attacked = fgsm(model, images, labels, epsilon=0.15)
        return float((model(attacked).argmax(1) == labels).float().mean())

    with torch.no_grad():
        assert accuracy(hardened, torch.from_numpy(splits["test"].images), labels) > 0.8
    assert robust_accuracy(hardened) > robust_accuracy(victims["source"]) + 0.1


@pytest.mark.parametrize("attack", ["distill", "knockoff"])
def test_thieves_side_with_their_victim(attack, job, victims, splits):
    """Where source and mirror disagree, the thief of the source follows the source more often."""
    thief = run_attack(attack, {}, job(attack, epochs=12)).model
    images = torch.cat([torch.from_numpy(splits[name].images) for name in ("A", "B", "finetune", "test", "knockoff")])
    source, mirror, stolen = (predict(model, images).argmax(1) for model in (*victims.values(), thief))
    contested = source != mirror
    assert int(contested.sum()) > 100
    assert int((stolen == source)[contested].sum()) > int((stolen == mirror)[contested].sum())


@pytest.mark.parametrize("attack", ["distill", "knockoff"])
def test_thieves_may_have_a_schedule_of_their_own(attack, job):
    own, given = (run_attack(attack, section, job(attack, epochs=n)).model for section, n in ((QUICK, 3), ({}, 1)))
    assert same(state(own), state(given), own.state_dict())


@pytest.mark.parametrize(
    ("attack", "level", "section", "error", "message"),
    [
        ("finetune", "FTXX", {}, UnknownNameError, "unknown fine-tuning mode 'FTXX': expected one of FTAL, FTLL"),
        ("prune", "much", {}, ConfigError, "level: expected a number, got 'much'"),
        ("noise", "1", {"epoch": 3}, ConfigError, r"zoo\.attacks\.noise: unknown key 'epoch'"),
        ("noise", "1", {"epochs": 0}, ConfigError, r"zoo\.attacks\.noise: epochs: expected at least 1, got 0"),
        ("adversarial", "1", {"epsilon": 0.0}, ConfigError, "epsilon: expected a positive number, got 0.0"),
        ("distill", "", {"temperature": 0.0}, ConfigError, "temperature: expected a positive number, got 0.0"),
        ("knockoff", "", {"epochs": 0}, ConfigError, "epochs: expected at least 1, got 0"),
    ],
)
def test_bad_input(attack, level, section, error, message, job):
    with pytest.raises(error, match=message):
        run_attack(attack, section, job(attack, level))


def test_unknown_attack(job):
    with pytest.raises(UnknownNameError, match="unknown attack 'steal': expected one of adversarial, distill"):
        run_attack("steal", {}, job("train"))


def test_an_attack_without_a_victim(job):
    with pytest.raises(ConfigError, match="this attack needs a victim, got none"):
        run_attack("prune", QUICK, replace(job("prune"), victim=None))


@pytest.mark.parametrize("mode", ["RTLL", "RTAL"])
def test_a_head_without_bias_is_drawn_anew_without_one(job, mode):
    wanted = job("finetune", mode)
    victim = copy.deepcopy(wanted.victim)
    victim.classifier = nn.Linear(victim.classifier.in_features, 10, bias=False)
    retrained = run_attack("finetune", QUICK, replace(wanted, victim=victim)).model
    assert retrained.classifier.bias is None
    assert not torch.equal(retrained.classifier.weight, victim.classifier.weight)
