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
    """``config`` is the attack's section in the profile; ``run`` makes the model."""

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
    """The settings of attack ``name`` that its ``section`` says, as its config.

    Raises:
        UnknownNameError: there is no such attack.
        ConfigError: the section does not fit the attack.
    """
    if name not in ATTACKS:
        raise UnknownNameError("attack", name, ATTACKS)
    return parse_section(ATTACKS[name].config, section, f"zoo.attacks.{name}")


def run_attack(name: str, section: Mapping[str, Any], job: Job) -> Outcome:
    """Make the model that attack ``name`` makes of ``job``, with the settings in ``section``.

    Raises:
        UnknownNameError: there is no such attack.
        ConfigError: the section does not fit the attack.
    """
    settings = attack_settings(name, section)
    return ATTACKS[name].run(job, settings)
