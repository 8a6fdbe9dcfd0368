"""The profile of an owner's model: as much of a zoo, a GAN and a scheme as the time allows, and what that will cost."""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from nf.core.config import NetworkConfig, OwnModelConfig, Profile, SourceConfig
from nf.core.files import write_text
from nf.core.interface import Interface
from nf.core.lineage import SOURCE_ID, STUDENT_ATTACKS
from nf.core.sections import parse_section
from nf.core.version import VERSION
from nf.data import Augment
from nf.gan import find_gan, train_gan
from nf.models import network_digest
from nf.owner.introduce import Introduction
from nf.owner.pilot import BATCH, MOST_PASSES, RATE, Course, Pilot, stopwatch, train_pilots
from nf.zoo import ZooPlan, fingerbench


@dataclass(frozen=True)
class _Size:
    """How large a zoo is.

    Attributes:
        architectures: networks of students and honest models: different, and fast on a CPU.
        suspects: those of the suspects, the source's stand-in first.
        training: networks of the models that queries are made from, and how many students of each.
        calibration: number of calibration models of each kind.
    """

    architectures: tuple[str, ...]
    suspects: tuple[str, ...]
    training: tuple[tuple[str, ...], int]
    calibration: Mapping[str, int]

    def with_networks(self, names: tuple[str, ...]) -> "_Size":
        """With architectures from outside among all but the suspects; the number of calibration models stays."""
        honest, students = self.training
        return replace(self, architectures=self.architectures + names, training=(honest + names, students))


_SIZES = (
    _Size(
        ("resnet18", "vgg13_bn", "se_resnet18", "squeezenet", "vgg16_bn"),
        ("resnet18", "vgg16_bn"),
        (("resnet18", "squeezenet", "vgg13_bn", "vgg16_bn"), 2),
        {
            "copies": 10,
            "students": 20,
            "independent": 20,
            "independent_offspring": 12,
            "twins": 20,
            "twin_offspring": 8,
        },
    ),
    _Size(
        ("resnet18", "vgg13_bn", "squeezenet", "vgg16_bn"),
        ("resnet18", "vgg16_bn"),
        (("resnet18", "squeezenet", "vgg13_bn"), 2),
        {"copies": 8, "students": 10, "independent": 12, "independent_offspring": 6, "twins": 10, "twin_offspring": 4},
    ),
    _Size(
        ("resnet18", "vgg13_bn"),
        ("resnet18", "vgg13_bn"),
        (("resnet18", "vgg13_bn"), 1),
        {"copies": 4, "students": 6, "independent": 6, "independent_offspring": 2, "twins": 6, "twin_offspring": 2},
    ),
)
"""From the largest to the smallest, which is for an owner without time: few lineages tell little of rare errors."""

_SHARES = {"zoo": 0.5, "gan": 0.2}
"""Parts of the owner's time; the rest is for making queries and for all that is short."""

_EFFORTS = (1.0, 0.5)
"""Parts of what a model needs to be as good as the owner's that honest calibration models learn: some are worse."""

_USUAL = NetworkConfig("torchvision:resnet18", interface=Interface(channels="rgb"))
"""How most people's networks begin: a stem that halves the image twice. This project's see small images whole."""

_MOST_COSTLY = 3.0
"""A model of an architecture from outside may take as many times longer than one of any of this project's."""

_MOST_IMAGES = 10_000
_MOST_EPOCHS = 40
_PATIENCE = 0.02
"""Part of the owner's time that a try of a network may take."""
_GAN_STEPS = (400, 3_500)
_GAN_CHANNELS = {16: 32, 32: 64, 64: 32, 128: 16}
_WIDTHS = {"default": 0.25, "squeezenet": 0.5}
_LINE = 90
_BYTES_OF_MODEL = 4e6


@dataclass(frozen=True)
class Costs:
    """What a profile will take on this machine.

    Attributes:
        models: number of models that are trained.
        zoo_minutes: minutes for these.
        gan_minutes: minutes for the GAN.
        query_minutes: minutes for the queries, which are guessed from the other two.
        gigabytes: space of all artifacts.
        asked: images that the owner's model is asked, each once, if its answers are remembered; else ``None``.
        lineages: number of independent models from scratch, or of twins, that an error rate rests on.
        enough: part of what they must learn from to be as good as the owner's model that there is time for, in (0, 1].
    """

    models: int
    zoo_minutes: float
    gan_minutes: float
    query_minutes: float
    gigabytes: float
    asked: int | None
    lineages: int
    enough: float

    @property
    def warning(self) -> str | None:
        """What an owner should know before relying on verdicts of such a zoo."""
        if self.enough < 1:
            return (
                f"models learn {self.enough:.0%} of what they need to be as good as yours: verdicts may accuse good "
                "models of other people's; --minutes gives them more"
            )
        if self.lineages < _SIZES[0].calibration["independent"]:
            return (
                f"honest models of {self.lineages} lineages tell little of rare errors, and fewer thieves are found; "
                "--minutes gives it more"
            )
        return None

    @property
    def minutes(self) -> float:
        """All in all."""
        return self.zoo_minutes + self.gan_minutes + self.query_minutes

    def __str__(self) -> str:
        asked = f", {self.asked:,} images to ask the model" if self.asked is not None else ""
        return (
            f"about {self.minutes:.0f} minutes: {self.models} models in {self.zoo_minutes:.0f}, a GAN in "
            f"{self.gan_minutes:.0f}, queries in {self.query_minutes:.0f}; {self.gigabytes:.1f} GB{asked}"
        )


def plan_profile(
    met: Introduction,
    name: str,
    *,
    minutes: float | None = None,
    workers: int = 2,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Any], Costs]:
    """The section of a profile for the model, and its costs on this machine.

    How good models are goes before how many there are: verdicts that rest on few models accuse nobody, those that rest
    on models worse than other people's accuse these people.

    Args:
        met: what is known of the model and its images.
        name: name of the profile.
        minutes: time that there is; ``None`` takes what the largest zoo needs.
        workers: processes that train models.
        say: called with a line for each thing that is found.
    """
    available = sum(met.counts) if met.others else sum(met.counts) // 2
    if met.data.test is None:
        available = int(available * 0.7)
    images = min(available, _MOST_IMAGES)
    networks = _networks(met)
    course = Course(met.raw, _WIDTHS, images, _MOST_EPOCHS, Augment(_padding(met), met.flip), networks)
    patience = {} if minutes is None else {"patience": minutes * 60 * _PATIENCE}
    pilots = train_pilots(course, (*_SIZES[0].architectures, *networks), met.accuracy, say=say, **patience)
    for name, reason in _unfit(pilots, networks).items():
        say(f"pilot      {name} {reason}: no models of it")
        del networks[name]
    budget = math.inf if minutes is None else minutes * 60 * _SHARES["zoo"] * workers
    a_step = _seconds_a_step(met)

    def planned(size: _Size, enough: float, steps: int) -> tuple[dict[str, Any], float]:
        section = _section(met, size, _epochs(size, pilots, images, enough), networks, images=images, steps=steps)
        return section, _zoo_seconds(section, name, pilots, met)

    for size in (each.with_networks(tuple(networks)) for each in _SIZES):
        seconds = planned(size, 1.0, 1)[1]
        if seconds <= budget:
            break
    enough = min(1.0, budget / seconds)
    gan_seconds = (seconds * enough / workers) * _SHARES["gan"] / _SHARES["zoo"]
    steps = int(min(_GAN_STEPS[1], max(_GAN_STEPS[0], gan_seconds / a_step)))
    section, seconds = planned(size, enough, steps)
    zoo, gan = seconds / workers / 60, steps * a_step / 60
    models = len(fingerbench(parse_profile(section, name).zoo).trained().specs)
    costs = Costs(
        models=models,
        zoo_minutes=zoo,
        gan_minutes=gan,
        query_minutes=0.3 * (zoo + gan) + 2,
        gigabytes=models * _BYTES_OF_MODEL * 2 / 1e9 + 0.2,
        asked=images * 3 if met.own.remembered else None,
        lineages=size.calibration["independent" if met.others else "twins"],
        enough=enough,
    )
    expected = {"zoo": zoo, "gan@sagan": gan, "fingerprint@naturalfinger": costs.query_minutes}
    section["seconds"] = {stage: round(60 * each) for stage, each in expected.items()}
    return section, costs


def _networks(met: Introduction) -> dict[str, NetworkConfig]:
    """Architectures from outside for honest models and students: the owner's, and one as most people's.

    Whoever solves the same task takes networks like the owner's, and these err alike: where no honest model of such a
    kind has been seen, one is taken for a thief.
    """
    own = met.untrained
    alike = own is not None and own.open == _USUAL.open and own.interface.size in (None, (met.image_size,) * 2)
    return {
        **({} if alike else {"torchvision_resnet18": _USUAL}),
        **({"own_architecture": own} if own else {}),
    }


def _unfit(pilots: Mapping[str, Pilot], networks: Mapping[str, NetworkConfig]) -> dict[str, str]:
    """Networks from outside that are too slow, or that do not get as good as the owner's model, and why."""
    most = max(pilot.model_seconds for name, pilot in pilots.items() if name not in networks)
    reasons = {}
    for name in networks:
        if pilots[name].model_seconds > _MOST_COSTLY * most:
            reasons[name] = f"takes {pilots[name].model_seconds / 60:.0f} minutes a model"
        elif pilots[name].passes >= MOST_PASSES:
            reasons[name] = "is not as good as your model by then"
    return reasons


def _epochs(size: _Size, pilots: Mapping[str, Pilot], images: int, enough: float) -> dict[str, int]:
    """How often each of the ``images`` is learned from, by architecture."""
    times = {each: round(enough * pilots[each].passes / images) for each in size.architectures}
    return {each: max(1, min(_MOST_EPOCHS, epochs)) for each, epochs in times.items()}


def write_profile(section: Mapping[str, Any], name: str, path: Path, notes: str) -> None:
    """Write the profile ``name`` into a file of its own.

    Args:
        section: section of the profile.
        name: name of the profile.
        path: file to write.
        notes: lines on what was found, which become comments.

    Raises:
        ArtifactError: the file cannot be written.
    """
    comments = "".join(f"# {line}\n" for line in notes.splitlines())
    body = yaml.dump(
        {"profiles": {name: dict(section)}}, Dumper=_Readable, sort_keys=False, width=110, allow_unicode=True
    )
    write_text(path, f"{comments}{body}")


class _Readable(yaml.SafeDumper):
    """Plain YAML, with short lists in a line and nothing that refers to something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        """Write a list of numbers or of few words in a line."""
        short = sum(len(str(item)) + 2 for item in sequence) < _LINE
        return super().represent_sequence(tag, sequence, flow_style=short or flow_style)


def _section(
    met: Introduction,
    size: _Size,
    epochs: Mapping[str, int],
    networks: Mapping[str, NetworkConfig],
    *,
    images: int,
    steps: int,
) -> dict[str, Any]:
    """The section for models that learn from each of ``images`` as often as ``epochs`` says of their architecture."""
    kept, own = max(1, images), met.own
    usual = sorted(epochs.values())[len(epochs) // 2]
    copies = own.copied
    every = {"finetune": ["FTAL", "RTAL"], "prune": ["0.5"], "noise": ["5"], "adversarial": ["0.5"]}
    tune = {"epochs": max(2, min(10, usual // 2)), "batch_size": 64, "learning_rate": 0.005}
    honest, students = size.training
    unlabelled = met.unlabelled or met.others
    return {
        "description": f"the owner's model {own.open}",
        "seed": 0,
        "queries": 100,
        "controls": 64,
        "levels": {"independent": 0.01, "trained": 0.05},
        "data": {
            "source": {**_plain(met.data), "images": kept if met.others else 2 * kept},
            **({"others": {**_plain(met.others), "images": kept}} if met.others else {}),
            "knockoff": {**_plain(unlabelled), "images": kept}
            if unlabelled
            else {"kind": "scribbles", "images": min(kept, 4000)},
            "image_size": met.image_size,
            "channels": met.channels,
            "padding": _padding(met),
            "flip": met.flip,
        },
        "zoo": {
            "own": _own(own),
            "source": size.suspects[0],
            "architectures": list(size.architectures),
            "networks": {
                name: {"open": each.open, "interface": each.interface.to_json()} for name, each in networks.items()
            },
            "suspects": list(size.suspects),
            "widths": dict(_WIDTHS),
            "training": {"epochs": usual, "batch_size": BATCH, "learning_rate": RATE},
            "overrides": {each: {"epochs": number} for each, number in epochs.items() if number != usual},
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
        "schemes": {
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
            "random": {},
        },
        "detection": {},
        "variants": {},
        "evaluation": {"resamples": 2000, "confidence": 0.95},
        "execution": {"workers": 2},
    }


def _padding(met: Introduction) -> int:
    """Pixels by which training images are shifted at most."""
    return max(2, met.image_size // 8)


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


def _zoo_seconds(section: Mapping[str, Any], name: str, pilots: Mapping[str, Pilot], met: Introduction) -> float:
    """Seconds of one core for all models of the profile."""
    plan = ZooPlan(parse_profile(section, name), {})
    images = plan.profile.data.source.images or 0
    images = images if met.others else images // 2
    seconds = 0.0
    for spec in plan.lineage.specs:
        rate = pilots[spec.architecture].seconds if spec.architecture in pilots else met.copy_seconds
        if spec.id == SOURCE_ID:
            continue
        if spec.attack in ("train", *STUDENT_ATTACKS):
            learned = plan.schedule(spec).epochs * images
        else:
            learned = plan.attack_section(spec)["epochs"] * (images // 2)
        seconds += learned * rate * {"adversarial": 4.0, "distill": 1.4}.get(spec.attack, 1.0)
    if met.own.remembered:
        seconds += 3 * images * met.seconds
    return seconds


def _seconds_a_step(met: Introduction) -> float:
    """Seconds of a step of the GAN, measured on noise."""
    shape = (64, met.channels, met.image_size, met.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.arange(64) % len(met.class_names)
    section = _section(met, _SIZES[-1], {"resnet18": 1}, {}, images=1, steps=1)["gans"]["sagan"]
    seconds = []
    for steps in (1, 6):
        config = parse_section(find_gan("sagan").config, {**section, "steps": steps}, "gans.sagan")
        with tempfile.TemporaryDirectory() as folder:
            took = stopwatch()
            train_gan("sagan", config, images, labels, num_classes=len(met.class_names), seed=0, folder=Path(folder))
            seconds.append(took())
    return max(1e-3, (seconds[1] - seconds[0]) / 5)


_NOTES = """Written by `nf init` {version}. Change what you like; `make repro PROFILE={name}` makes the rest.
{found}
Found with {right} of {controls} images right. Planned: {costs}.
{warning}Attacks that are not represented: {absent}."""


def notes(met: Introduction, name: str, costs: Costs) -> str:
    """Lines for the head of the file."""
    copies = "none" if met.own.copied else "finetune, prune, noise, adversarial (the model's weights are not changed)"
    found = f"The model {met.own.open}, asked as {met.own.interface}."
    warning = "" if costs.warning is None else f"{costs.warning}.\n"
    return _NOTES.format(
        version=VERSION,
        name=name,
        found=found,
        right=met.right,
        controls=met.controls,
        costs=costs,
        warning=warning,
        absent=copies,
    )
