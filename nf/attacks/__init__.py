"""How one model of the zoo is made from another: the registry of attacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nf.attacks.base import FineTuningConfig, Job, Outcome
from nf.attacks.extraction import DistillationConfig, KnockoffConfig, ScratchConfig, distill, knockoff, train
from nf.attacks.gradient import fgsm, pgd
from nf.attacks.modification import (
    FINE_TUNING_MODES,
    AdversarialConfig,
    add_noise,
    disturb_weights,
    fine_tune,
    prune,
    prune_weights,
    train_adversarially,
)
from nf.core.errors import UnknownNameError
from nf.core.sections import parse_section

__all__ = [
    "ATTACKS",
    "FINE_TUNING_MODES",
    "Attack",
    "Job",
    "Outcome",
    "attack_settings",
    "disturb_weights",
    "fgsm",
    "pgd",
    "prune_weights",
    "run_attack",
]


@dataclass(frozen=True)
class Attack:
    """One entry of ``ATTACKS``.

    Attributes:
        config: frozen dataclass of the attack's section in the profile.
        run: function (job, config) that makes the model.
    """

    config: type
    run: Callable[[Job, Any], Outcome]


ATTACKS: dict[str, Attack] = {
    "train": Attack(ScratchConfig, train),
    "finetune": Attack(FineTuningConfig, fine_tune),
    "prune": Attack(FineTuningConfig, prune),
    "noise": Attack(FineTuningConfig, add_noise),
    "adversarial": Attack(AdversarialConfig, train_adversarially),
    "distill": Attack(DistillationConfig, distill),
    "knockoff": Attack(KnockoffConfig, knockoff),
}


def attack_settings(name: str, section: Mapping[str, Any]) -> Any:
    """The settings in ``section`` as an instance of the attack's ``config``.

    Raises:
        UnknownNameError: there is no such attack.
        ConfigError: the section does not fit the attack.
    """
    if name not in ATTACKS:
        raise UnknownNameError("attack", name, ATTACKS)
    return parse_section(ATTACKS[name].config, section, f"zoo.attacks.{name}")


def run_attack(name: str, section: Mapping[str, Any], job: Job) -> Outcome:
    """Carry out one attack.

    Args:
        name: key of ``ATTACKS``.
        section: the attack's section in the profile.
        job: the model to make.

    Raises:
        UnknownNameError: there is no such attack.
        ConfigError: the section does not fit the attack, or the job has no victim or no usable level.
        TrainingError: training diverged.
    """
    settings = attack_settings(name, section)
    return ATTACKS[name].run(job, settings)
