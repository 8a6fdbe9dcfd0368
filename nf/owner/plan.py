"""The plan for an owner's model: as much of a zoo, a GAN and a scheme as the time allows, and what that will cost."""

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nf.core.config import DataConfig, NetworkConfig, TrainingConfig
from nf.core.errors import ConfigError, UnknownNameError
from nf.core.interface import Interface
from nf.core.lineage import SOURCE_ID, STUDENT_ATTACKS
from nf.core.sections import parse_section
from nf.data import KNOCKOFF, Augment, prepare_splits
from nf.fingerprints import AkhConfig, make_scheme
from nf.gan import find_gan, train_gan
from nf.owner.introduce import Introduction
from nf.owner.pilot import BATCH, MOST_PASSES, RATES, Course, Pilot, stopwatch, train_pilots
from nf.owner.section import WIDTHS, data_section, padding, parse_profile, profile_section
from nf.owner.sizes import SIZES, Size
from nf.stages.gan import SAMPLES, SAMPLES_ALONG_THE_WAY
from nf.zoo import IMAGES_PER_PART, ZooPlan, fingerbench

USUAL_SCHEME = "naturalfinger"


@dataclass(frozen=True)
class _Shares:
    """What a scheme makes of the owner's time.

    Attributes:
        zoo: part of the time for the models.
        gan: time for the GAN by that for the models; 0 where the scheme takes no images from one.
        queries: time for making queries, and for all that is short, by that for models and GAN.
    """

    zoo: float
    gan: float
    queries: float


_SHARES = {"naturalfinger": _Shares(0.5, 0.4, 0.3), "akh": _Shares(0.75, 0.0, 0.25)}
"""By the schemes for a model of one's own."""

_USUAL = NetworkConfig("torchvision:resnet18", interface=Interface(channels="rgb"))
"""How most people's networks begin: a stem that halves the image twice. This project's see small images whole."""

_MOST_COSTLY = 3.0
"""A model of an architecture from outside may take as many times longer than one of any of this project's."""

_MOST_IMAGES = 10_000
_MOST_EPOCHS = 40
_PATIENCE = 0.02
"""Part of the owner's time that a try of a network may take."""
_GAN_STEPS = (400, 3_500)
_BYTES_OF_MODEL = 4e6


@dataclass(frozen=True)
class Costs:
    """What a profile will take on this machine.

    Attributes:
        models: number of models that are trained.
        zoo_minutes: minutes for these.
        gan_minutes: minutes for the GAN; 0 where the scheme takes no images from one.
        query_minutes: minutes for the queries, which are guessed from the other two.
        gigabytes: space of all artifacts.
        asked: images that the owner's model is asked at most, each once, if its answers are remembered; else ``None``.
        lineages: number of independent models from scratch, or of twins, that an error rate rests on.
        enough: part of what they must learn from to be as good as the owner's model that there is time for, in [0, 1].
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
        if self.lineages < SIZES[0].calibration["independent"]:
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
        gan = f"a GAN in {self.gan_minutes:.0f}, " if self.gan_minutes else ""
        return (
            f"about {self.minutes:.0f} minutes: {self.models} models in {self.zoo_minutes:.0f}, {gan}queries in "
            f"{self.query_minutes:.0f}; {self.gigabytes:.1f} GB{asked}"
        )


def check_wanted(scheme: str, minutes: float | None) -> None:
    """Refuse at once what ``plan_profile`` cannot plan for, as it takes a while to meet a model.

    Raises:
        ConfigError: ``minutes`` is no time.
        UnknownNameError: there is no such scheme for a model of one's own.
    """
    if scheme not in _SHARES:
        raise UnknownNameError("scheme", scheme, _SHARES)
    if minutes is not None and not 0 < minutes < math.inf:
        raise ConfigError(f"minutes: expected a number above 0, got {minutes}")


def plan_profile(
    met: Introduction,
    name: str,
    *,
    scheme: str = USUAL_SCHEME,
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
        scheme: ``naturalfinger`` or ``akh``, which the time is for; the section has both, this one first.
        minutes: time that there is; ``None`` takes what the largest zoo needs.
        workers: processes that train models.
        say: called with a line for each thing that is found.

    Raises:
        DataError: the images cannot be dealt out, as others' are the owner's.
        ConfigError: ``minutes`` is no time.
        UnknownNameError: there is no such scheme for a model of one's own.
    """
    check_wanted(scheme, minutes)
    images = _images(met)
    dealt = _deal(met, images, say)
    pilots, networks = _try_out(met, images, minutes, say)
    shares = _SHARES[scheme]

    def section_of(size: Size, enough: float, steps: int = 1) -> dict[str, Any]:
        schedules = _schedules(size, pilots, images, enough)
        return profile_section(met, size, schedules, networks, scheme=scheme, images=images, steps=steps)

    def training_seconds(section: Mapping[str, Any]) -> float:
        return _training_seconds(section, name, pilots, met)

    sizes = [each.with_networks(tuple(networks)) for each in SIZES]
    asked = _asked(met, dealt, section_of(sizes[-1], 1.0, _GAN_STEPS[1]), scheme)
    answering = met.seconds * asked["zoo"] / workers
    left = math.inf if minutes is None else minutes * 60 - answering - met.seconds * (asked["gan"] + asked["queries"])
    budget = max(0.0, left) * shares.zoo * workers
    size = next((each for each in sizes if training_seconds(section_of(each, 1.0)) <= budget), sizes[-1])
    seconds = training_seconds(section_of(size, 1.0))
    enough = min(1.0, budget / seconds)
    a_step = _seconds_a_step(met)
    gan_seconds = seconds * enough / workers * _SHARES[USUAL_SCHEME].gan  # of a GAN that may be wanted later, too
    section = section_of(size, enough, int(min(_GAN_STEPS[1], max(_GAN_STEPS[0], gan_seconds / a_step))))
    asked = _asked(met, dealt, section, scheme)
    training = training_seconds(section) / workers
    drawing = section["gans"]["sagan"]["steps"] * a_step if shares.gan else 0.0
    zoo = (training + answering) / 60
    gan = (drawing + met.seconds * asked["gan"]) / 60
    models = len(fingerbench(parse_profile(section, name).zoo).trained().specs)
    costs = Costs(
        models=models,
        zoo_minutes=zoo,
        gan_minutes=gan,
        query_minutes=(shares.queries * (training + drawing) + met.seconds * asked["queries"]) / 60 + 2,
        gigabytes=models * _BYTES_OF_MODEL * 2 / 1e9 + 0.2,
        asked=asked.total() if met.own.remembered else None,
        lineages=size.calibration["independent" if met.others else "twins"],
        enough=enough,
    )
    expected = {"zoo": zoo, **({"gan@sagan": gan} if gan else {}), f"fingerprint@{scheme}": costs.query_minutes}
    section["seconds"] = {stage: round(60 * each) for stage, each in expected.items()}
    return section, costs


def _images(met: Introduction) -> int:
    """How many images a model learns from: without others' images, half of the owner's, and of these no test part."""
    available = sum(met.counts) if met.others else sum(met.counts) // 2
    return min(available if met.data.test is not None else int(available * 0.7), _MOST_IMAGES)


def _deal(met: Introduction, images: int, say: Callable[[str], None]) -> dict[str, int]:
    """Number of images in each split, dealt out as the pipeline will: what it would refuse is to be known at once."""
    config = parse_section(DataConfig, data_section(met, images), "data")
    splits = prepare_splits(config, seed=0)
    if met.others:
        say(f"others     {len(splits['B']):,} images that your model never saw")
    return {name: len(part) for name, part in splits.parts.items()}


def _asked(met: Introduction, dealt: Mapping[str, int], section: Mapping[str, Any], name: str) -> Counter[str]:
    """Images that the owner's model is asked at most, each by the stage that asks it first; none without a memory.

    Students learn its answers to split A and to the images of other things, and are held against it on the test half;
    the check of the attacks takes some of the other splits. A black box judges the GAN's samples and the candidates
    besides; of a network whose weights are known a copy does.
    """
    asked = Counter[str]()
    if met.own.remembered:
        learned = {"A", KNOCKOFF, "test"}
        asked["zoo"] = sum(count if name in learned else min(count, IMAGES_PER_PART) for name, count in dealt.items())
    if not met.own.trainable:
        gan, schemes = section["gans"]["sagan"], section["schemes"]
        if _SHARES[name].gan:
            asked["gan"] = math.ceil(gan["steps"] / gan["checkpoint_every"]) * SAMPLES_ALONG_THE_WAY + SAMPLES
            asked["queries"] = schemes[name]["max_rounds"] * schemes[name]["shortlist"]
        else:
            asked["queries"] = _searched(met, dealt["test"], make_scheme(name, schemes[name]).config)
    return asked


def _searched(met: Introduction, images: int, config: AkhConfig) -> int:
    """Images among which there are as many mistakes as are wanted: mixtures are hardly easier than ``images``."""
    every = (2 + config.cutmix_rounds) * images
    return every if met.accuracy is None else min(every, math.ceil(config.candidates / (1 - met.accuracy)))


def _try_out(
    met: Introduction, images: int, minutes: float | None, say: Callable[[str], None]
) -> tuple[dict[str, Pilot], dict[str, NetworkConfig]]:
    """One network of each architecture, and those of the architectures from outside that are of use."""
    networks = _networks(met)
    course = Course(met.raw, WIDTHS, images, _MOST_EPOCHS, Augment(padding(met), met.flip), networks)
    patience = {} if minutes is None else {"patience": minutes * 60 * _PATIENCE}
    pilots = train_pilots(course, (*SIZES[0].architectures, *networks), met.accuracy, say=say, **patience)
    for network, reason in _unfit(pilots, networks).items():
        say(f"pilot      {network} {reason}: no models of it")
        del networks[network]
    return pilots, networks


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
        elif pilots[name].reached is None:
            reasons[name] = "is too slow to try in the time that there is"
        elif pilots[name].passes >= MOST_PASSES:
            reasons[name] = f"is not as good as your model after {MOST_PASSES:,} images"
    return reasons


def _schedules(size: Size, pilots: Mapping[str, Pilot], images: int, enough: float) -> dict[str, TrainingConfig]:
    """How often each of the ``images`` is learned from, and at which rate, by architecture."""
    tried = {each: pilots[each] for each in size.architectures}
    times = {each: round(enough * pilot.passes / images) for each, pilot in tried.items()}
    return {
        each: TrainingConfig(max(1, min(_MOST_EPOCHS, times[each])), BATCH, pilot.rate) for each, pilot in tried.items()
    }


def _training_seconds(section: Mapping[str, Any], name: str, pilots: Mapping[str, Pilot], met: Introduction) -> float:
    """Seconds of one core for all models of the profile, without those in which the owner's answers."""
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
    return seconds


def _seconds_a_step(met: Introduction) -> float:
    """Seconds of a step of the GAN, measured on noise."""
    shape = (64, met.channels, met.image_size, met.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.arange(64) % len(met.class_names)
    schedules = {"resnet18": TrainingConfig(1, BATCH, RATES[0])}
    section = profile_section(met, SIZES[-1], schedules, {}, scheme=USUAL_SCHEME, images=1, steps=1)["gans"]["sagan"]
    seconds = []
    for steps in (1, 6):
        config = parse_section(find_gan("sagan").config, {**section, "steps": steps}, "gans.sagan")
        with tempfile.TemporaryDirectory() as folder:
            took = stopwatch()
            train_gan("sagan", config, images, labels, num_classes=len(met.class_names), seed=0, folder=Path(folder))
            seconds.append(took())
    return max(1e-3, (seconds[1] - seconds[0]) / 5)
