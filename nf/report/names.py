"""How things are called in figures and on the page; what has no name here goes by its key."""

from collections.abc import Sequence

from nf.core.architectures import DISPLAY_NAMES

ATTACKS = {
    "train": "Training",
    "finetune": "Fine-tuning",
    "prune": "Pruning",
    "noise": "Weight noise",
    "adversarial": "Adversarial training",
    "distill": "Distillation",
    "knockoff": "Knockoff",
    "twin": "Twins",
    "cross-data": "Students of other data",
    "compressed": "Compressed copies",
    "defended": "Input defences",
}

THIEVES = ("finetune", "prune", "noise", "adversarial", "distill", "knockoff")
"""Attacks of which there are thieves, the keys of ``ATTACKS`` that stand for them."""

SCHEMES = {
    "naturalfinger": "NaturalFinger",
    "ipguard": "IPGuard",
    "metav": "MetaV",
    "metafinger": "MetaFinger",
    "akh": "AKH",
    "random": "Random images",
}

GANS = {
    "sagan": "SAGAN",
    "wgan_gp": "WGAN-GP",
    "logan": "LOGAN",
    "contragan": "ContraGAN",
    "icrgan": "ICRGAN",
    "reacgan": "ReACGAN",
}

# What each kind of detector has learned from.
DETECTORS = {
    "naive": "noise and FGSM",
    "other_gan": "another GAN's samples",
    "half_of_queries": "half of the queries",
}


def label_name(class_names: Sequence[str], label: int) -> str:
    """Name of a class, or its number where ``class_names`` has none."""
    return class_names[label] if label < len(class_names) else str(label)


def attack_name(key: str) -> str:
    """Name of an attack."""
    return ATTACKS.get(key, key)


def architecture_name(key: str) -> str:
    """Name of an architecture, as its paper spells it."""
    return DISPLAY_NAMES.get(key, key)


def scheme_name(key: str) -> str:
    """Name of a fingerprinting scheme."""
    return SCHEMES.get(key, key)


def gan_name(key: str) -> str:
    """Name of a GAN."""
    return GANS.get(key, key)
