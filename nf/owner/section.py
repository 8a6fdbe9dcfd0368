"""The section of a profile for an owner's model."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nf.core.config import NetworkConfig, OwnModelConfig, Profile, SourceConfig, TrainingConfig
from nf.core.sections import parse_section
from nf.models import network_digest
from nf.owner.introduce import Introduction
from nf.owner.sizes import Size

WIDTHS = {"default": 0.25, "squeezenet": 0.5}

_EFFORTS = (1.0, 0.5)
"""Parts of what a model needs to be as good as the owner's that honest calibration models learn: some are worse."""

_SCHEMES: Mapping[str, Mapping[str, Any]] = {
    "naturalfinger": {
        "choice": "held-out",
        "twins": True,
        "candidates": 4000,
        "shortlist": 500,
        "max_rounds": 6,
        "epochs": 40,
        "learning_rate": 10.0,
        "confidence": 5.0,
        "batch_size": 100,
        "transforms": ["identity", "noise", "shear", "resize"],
        "strength": {"shear": 0.05},
        "screen_repeats": 2,
    },
    "akh": {"choice": "held-out"},
    "random": {},
}

_TOLD = ("epochs", "batch_size", "learning_rate")
_GAN_CHANNELS = {16: 32, 32: 64, 64: 32, 128: 16}


def data_section(met: Introduction, images: int) -> dict[str, Any]:
    """The part of the section about images, of which a model learns from as many as ``images``."""
    kept, unlabelled = max(1, images), met.unlabelled or met.others
    return {
        "source": {**_plain(met.data), "images": kept if met.others else 2 * kept},
        **({"others": {**_plain(met.others), "images": kept}} if met.others else {}),
        "knockoff": {**_plain(unlabelled), "images": kept}
        if unlabelled
        else {"kind": "scribbles", "images": min(kept, 4000)},
        "image_size": met.image_size,
        "channels": met.channels,
        "padding": padding(met),
        "flip": met.flip,
    }


def profile_section(
    met: Introduction,
    size: Size,
    schedules: Mapping[str, TrainingConfig],
    networks: Mapping[str, NetworkConfig],
    *,
    scheme: str,
    images: int,
    steps: int,
) -> dict[str, Any]:
    """The section for models that learn from ``images`` as ``schedules`` says of their architecture.

    Of its schemes ``scheme`` comes first, which the report is about.
    """
    own = met.own
    usual = sorted(schedules.values(), key=lambda each: (each.epochs, each.learning_rate))[len(schedules) // 2]
    copies = own.copied
    every = {"finetune": ["FTAL", "RTAL"], "prune": ["0.5"], "noise": ["5"], "adversarial": ["0.5"]}
    tune = {"epochs": max(2, min(10, usual.epochs // 2)), "batch_size": 64, "learning_rate": 0.005}
    honest, students = size.training
    return {
        "description": f"the owner's model {own.open}",
        "seed": 0,
        "queries": 100,
        "controls": 64,
        "levels": {"independent": 0.01, "trained": 0.05},
        "data": data_section(met, images),
        "zoo": {
            "own": _own(own),
            "source": size.suspects[0],
            "architectures": list(size.architectures),
            "networks": {
                name: {"open": each.open, "interface": each.interface.to_json()} for name, each in networks.items()
            },
            "suspects": list(size.suspects),
            "widths": dict(WIDTHS),
            "training": {key: getattr(usual, key) for key in _TOLD},
            "overrides": {each: changed for each, one in schedules.items() if (changed := _unlike(one, usual))},
            "levels": every,
            "attacks": {
                "finetune": tune,
                "prune": tune,
                "noise": tune,
                "adversarial": {**tune, "steps": 4, "step_size": 0.0118},
                "distill": {"temperature": 1.0, "answers": "once" if own.remembered else "each"},
                "knockoff": {},
            },
            "pool": {
                "positive": [
                    f"distill-{each}-source-t{number}" for each in honest for number in range(1, students + 1)
                ],
                "negative": [
                    *(f"scratch-{each}-t1" for each in honest),
                    *(f"distill-{each}-mirror-t1" for each in honest),
                ],
                "twins": [f"twin-{each}-t1" for each in honest],
            },
            "calibration": {
                **size.calibration,
                "copies": size.calibration["copies"] if copies else 0,
                "efforts": list(_EFFORTS),
            },
        },
        "gans": {
            "sagan": {
                "generator_channels": _GAN_CHANNELS[met.image_size],
                "discriminator_channels": _GAN_CHANNELS[met.image_size],
                "steps": steps,
                "d_steps": 1,
                "learning_rate_d": 0.0004,
                "beta1": 0.0,
                "flip": met.flip,
                "max_shift": 2,
                "ema_decay": 0.99,
                "ema_start": min(500, steps // 4),
                "checkpoint_every": 250,
            }
        },
        "schemes": dict(sorted(_SCHEMES.items(), key=lambda each: each[0] != scheme)),
        "detection": {},
        "variants": {},
        "evaluation": {"resamples": 2000, "confidence": 0.95},
        "execution": {"workers": 2},
    }


def _unlike(schedule: TrainingConfig, usual: TrainingConfig) -> dict[str, Any]:
    """What of ``schedule`` is not as usual."""
    return {key: value for key in _TOLD if (value := getattr(schedule, key)) != getattr(usual, key)}


def padding(met: Introduction) -> int:
    """Pixels by which training images are shifted at most: few, as models of an owner without time see each rarely."""
    return max(1, met.image_size // 16)


def _own(own: OwnModelConfig) -> dict[str, Any]:
    weights = {"weights": str(Path(own.weights).absolute())} if own.weights else {}
    place = own.open
    if own.kind == "hf":
        place = f"hf:{Path(place.removeprefix('hf:')).absolute()}"
    elif own.kind in ("onnx", "exported"):
        place = str(Path(place).absolute())
    switches = {"copies": own.copies, "remember": own.remember} if own.trainable else {}
    section = {"open": place, **weights, **switches, "interface": own.interface.to_json()}
    met = parse_section(OwnModelConfig, section, "own")
    return {**section, "digest": network_digest(met)}


def _plain(config: SourceConfig) -> dict[str, Any]:
    default = SourceConfig(config.kind)
    return {key: value for key, value in asdict(config).items() if key == "kind" or value != getattr(default, key)}


def parse_profile(section: Mapping[str, Any], name: str) -> Profile:
    """The profile ``name`` of ``section``.

    Raises:
        ConfigError: it has unusable values.
    """
    return parse_section(Profile, {"name": name, **section}, f"profiles.{name}")
