"""The profile of an owner's model: as much of a zoo, a GAN and a scheme as the time allows, and what that will cost."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from nf.core.config import OwnModelConfig, Profile, SourceConfig, TrainingConfig
from nf.core.files import write_text
from nf.core.lineage import OWN, STUDENT_ATTACKS
from nf.core.sections import parse_section
from nf.core.version import VERSION
from nf.gan import find_gan, train_gan
from nf.models import build_classifier, fit, network_digest
from nf.owner.introduce import Introduction
from nf.zoo import fingerbench

ARCHITECTURES = ("resnet18", "se_resnet18", "squeezenet", "vgg13_bn", "vgg16_bn")
"""Students and honest models where nobody names others: different, and fast on a CPU."""


@dataclass(frozen=True)
class _Size:
    """How large a zoo is.

    Attributes:
        architectures: networks of students and honest models.
        training: networks of the models that queries are made from, and how many students of each.
        calibration: number of calibration models of each kind.
        fewest: images that a model learns from, each time counted, below which there is no sense in it.
    """

    architectures: tuple[str, ...]
    training: tuple[tuple[str, ...], int]
    calibration: Mapping[str, int]
    fewest: int


_WHOLE = _Size(
    ARCHITECTURES,
    (("resnet18", "squeezenet", "vgg13_bn", "vgg16_bn"), 2),
    {
        "copies": 10,
        "students": 20,
        "independent": 20,
        "independent_offspring": 12,
        "twins": 20,
        "twin_offspring": 8,
    },
    12_000,
)
_SMALL = _Size(
    ("resnet18", "vgg13_bn"),
    (("resnet18", "vgg13_bn"), 1),
    {"copies": 4, "students": 6, "independent": 6, "independent_offspring": 2, "twins": 6, "twin_offspring": 2},
    2_000,
)
"""For an owner without time, and for trying it out: so few lineages tell little of rare errors."""

_SHARES = {"zoo": 0.5, "gan": 0.2}
"""Parts of the owner's time; the rest is for making queries and for all that is short."""

_MOST_PASSES = 150_000  # images that a model learns from, each time counted
_MOST_IMAGES = 10_000
_EPOCHS = (5, 40)
_GAN_STEPS = (400, 3_500)
_GAN_CHANNELS = {16: 32, 32: 64, 64: 32, 128: 16}
_WIDTHS = {"default": 0.25, "squeezenet": 0.5}
_TIMED_IMAGES = 256
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
        small: whether time suffices for few models only, which tell little of rare errors.
    """

    models: int
    zoo_minutes: float
    gan_minutes: float
    query_minutes: float
    gigabytes: float
    asked: int | None
    small: bool = False

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


def plan_profile(met: Introduction, name: str, *, minutes: float, workers: int = 2) -> tuple[dict[str, Any], Costs]:
    """The section of a profile for the model, and its costs on this machine.

    Args:
        met: what is known of the model and its images.
        name: name of the profile.
        minutes: time that there is.
        workers: processes that train models.
    """
    available = sum(met.counts) if met.others else sum(met.counts) // 2
    if met.data.test is None:
        available = int(available * 0.7)
    images = min(available, _MOST_IMAGES)
    rates = {each: _seconds_an_image(each, met) for each in ARCHITECTURES}
    budget = minutes * 60 * _SHARES["zoo"] * workers

    def seconds(size: _Size, passes: int) -> float:
        section = _section(met, size, passes=passes, images=images, steps=_GAN_STEPS[0])
        return _zoo_seconds(section, name, rates, met)

    size = _WHOLE if seconds(_WHOLE, _WHOLE.fewest) <= budget else _SMALL
    passes = min(_MOST_PASSES, max(size.fewest, int(_MOST_PASSES * budget / seconds(size, _MOST_PASSES))))
    a_step = _seconds_a_step(met)
    steps = int(min(_GAN_STEPS[1], max(_GAN_STEPS[0], minutes * 60 * _SHARES["gan"] / a_step)))
    section = _section(met, size, passes=passes, images=images, steps=steps)
    zoo = _zoo_seconds(section, name, rates, met) / workers / 60
    models = len(fingerbench(parse_profile(section, name).zoo).trained().specs)
    asked = images * 3 if met.own.remembered else None
    gan = steps * a_step / 60
    costs = Costs(models, zoo, gan, 0.3 * (zoo + gan) + 2, models * _BYTES_OF_MODEL * 2 / 1e9 + 0.2, asked)
    expected = {"zoo": zoo, "gan@sagan": gan, "fingerprint@naturalfinger": costs.query_minutes}
    section["seconds"] = {stage: round(60 * each) for stage, each in expected.items()}
    return section, replace(costs, small=size is _SMALL)


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


def _section(met: Introduction, size: _Size, *, passes: int, images: int, steps: int) -> dict[str, Any]:
    """The section for models that learn ``passes`` images from as many as ``images`` different ones."""
    epochs = min(_EPOCHS[1], max(_EPOCHS[0], round(passes / images)))
    kept = max(1, min(images, passes // epochs))
    own = met.own
    copies = own.copied
    every = {"finetune": ["FTAL", "RTAL"], "prune": ["0.5"], "noise": ["5"], "adversarial": ["0.5"]}
    tune = {"epochs": max(2, min(10, epochs // 2)), "batch_size": 64, "learning_rate": 0.005}
    honest, students = size.training
    return {
        "description": f"the owner's model {own.open}",
        "seed": 0,
        "queries": 100,
        "controls": 64,
        "levels": {"independent": 0.01, "trained": 0.05},
        "data": {
            "source": {**_plain(met.data), "images": kept if met.others else 2 * kept},
            **({"others": {**_plain(met.others), "images": kept}} if met.others else {}),
            "knockoff": {**_plain(met.unlabelled), "images": kept}
            if met.unlabelled
            else {"kind": "scribbles", "images": min(kept, 4000)},
            "image_size": met.image_size,
            "channels": met.channels,
            "padding": max(2, met.image_size // 8),
            "flip": met.flip,
        },
        "zoo": {
            "own": _own(own),
            "source": "resnet18",
            "architectures": list(size.architectures),
            "widths": dict(_WIDTHS),
            "training": {"epochs": epochs, "batch_size": 64, "learning_rate": 0.1},
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
            "calibration": {**size.calibration, "copies": size.calibration["copies"] if copies else 0},
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


def _zoo_seconds(section: Mapping[str, Any], name: str, rates: Mapping[str, float], met: Introduction) -> float:
    """Seconds of one core for all models of the profile."""
    profile = parse_profile(section, name)
    images = profile.data.source.images or 0
    images = images if met.others else images // 2
    test = images // 2
    seconds = 0.0
    kinds = Counter((spec.architecture, spec.attack) for spec in fingerbench(profile.zoo).trained().specs)
    for (architecture, attack), count in kinds.items():
        rate = rates.get(architecture, met.copy_seconds)
        if attack in ("train", *STUDENT_ATTACKS):
            learned = profile.zoo.training.epochs * images
        else:
            learned = profile.zoo.attacks["finetune"]["epochs"] * test
        factor = {"adversarial": 4.0, "distill": 1.4}.get(attack, 1.0)
        seconds += count * learned * rate * factor if architecture != OWN or attack != "train" else 0.0
    if met.own.remembered:
        seconds += 3 * images * met.seconds
    return seconds


def _stopwatch() -> Callable[[], float]:
    """Begin to measure; the result says how many seconds it has been, or this process's own where others interfere."""
    started, own = time.perf_counter(), time.process_time()
    return lambda: min(time.perf_counter() - started, time.process_time() - own)


def _seconds_an_image(architecture: str, met: Introduction) -> float:
    """Seconds of one core that training a network takes for an image, measured on noise."""
    shape = (_TIMED_IMAGES, met.channels, met.image_size, met.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.arange(_TIMED_IMAGES) % len(met.class_names)
    model = build_classifier(
        architecture,
        width=_WIDTHS.get(architecture, _WIDTHS["default"]),
        in_channels=met.channels,
        num_classes=len(met.class_names),
        mean=(0.5,) * met.channels,
        std=(0.25,) * met.channels,
        seed=0,
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = []
        for _ in range(2):
            took = _stopwatch()
            fit(model, images, labels, TrainingConfig(1, 64, 0.01), seed=0)
            seconds.append(took() / _TIMED_IMAGES)
    finally:
        torch.set_num_threads(threads)
    return min(seconds)


def _seconds_a_step(met: Introduction) -> float:
    """Seconds of a step of the GAN, measured on noise."""
    shape = (64, met.channels, met.image_size, met.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.arange(64) % len(met.class_names)
    section = _section(met, _SMALL, passes=1000, images=1000, steps=1)["gans"]["sagan"]
    seconds = []
    for steps in (1, 6):
        config = parse_section(find_gan("sagan").config, {**section, "steps": steps}, "gans.sagan")
        with tempfile.TemporaryDirectory() as folder:
            took = _stopwatch()
            train_gan("sagan", config, images, labels, num_classes=len(met.class_names), seed=0, folder=Path(folder))
            seconds.append(took())
    return max(1e-3, (seconds[1] - seconds[0]) / 5)


_NOTES = """Written by `nf init` {version}. Change what you like; `make repro PROFILE={name}` makes the rest.
{found}
Found with {right} of {controls} images right. Planned: {costs}.
Attacks that are not represented: {absent}."""


def notes(met: Introduction, name: str, costs: Costs) -> str:
    """Lines for the head of the file."""
    copies = "none" if met.own.copied else "finetune, prune, noise, adversarial (the model's weights are not changed)"
    found = f"The model {met.own.open}, asked as {met.own.interface}."
    return _NOTES.format(
        version=VERSION, name=name, found=found, right=met.right, controls=met.controls, costs=costs, absent=copies
    )
