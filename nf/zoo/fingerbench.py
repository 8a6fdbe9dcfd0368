"""FingerBench as data (the paper's table 1): 154 suspects by id, their lineage, the training models, and FingerBench+.

An id says what a model is: ``source``, ``mirror``, ``scratch-<architecture>``, ``<attack>-<architecture>-<victim>`` for
``distill`` and ``knockoff``, ``<attack>-<level>-<victim>`` for the attacks on a copy's weights. A training model
carries a suffix ``-t1``, ``-t2``, …, which also gives it a seed of its own; a calibration model ``-c1``, ``-c2``, …,
and its victim is the calibration model of that number, unless it is the source.

FingerBench+ adds ``twin-<architecture>`` (from scratch on the owner's data), ``cross-<architecture>`` (distilled from
the source on everyone else's), ``compress-<format>-<model>`` and ``defend-<defence>-<model>`` (copies of its file).
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from nf.attacks import FINE_TUNING_MODES, attack_settings
from nf.core.config import ZooConfig
from nf.core.errors import ConfigError, UnknownNameError
from nf.core.lineage import (
    COMPRESSION_NAMES,
    COPIES,
    MIRROR_ID,
    OWN,
    SOURCE_ID,
    STUDENT_ATTACKS,
    Lineage,
    ModelSpec,
    Pool,
)
from nf.models import ARCHITECTURES, FULL_SIZE
from nf.zoo.calibration import calibration_ids

PRUNING_RATIOS = tuple(f"{i / 10}" for i in range(1, 10))
NOISE_VALUES = tuple(str(i) for i in range(1, 10))
ADVERSARIAL_PROPORTIONS = tuple(f"{i / 10}" for i in range(1, 11))

_LEVELS = {
    "finetune": FINE_TUNING_MODES,
    "prune": PRUNING_RATIOS,
    "noise": NOISE_VALUES,
    "adversarial": ADVERSARIAL_PROPORTIONS,
}
_TRAINING_SUFFIX = re.compile(r"-t\d+$")
_SUFFIX = re.compile(r"-[tc]\d+$")


def fingerbench(config: ZooConfig) -> Lineage:
    """All suspects and training models of a profile, and FingerBench+.

    With 15 architectures these are 63 positive and 91 negative suspects. Training positives come from the source,
    training negatives do not, and twins learn from the owner's data besides.

    Raises:
        ConfigError: a training model is also a suspect, has the wrong role or no weights of its own, or an id says
            nothing; a setting names an architecture or attack that is not there, or does not fit it; an architecture
            cannot be built at full size; a network from outside takes a name that says something else; nobody says how
            often an owner's model is asked whose answers are kept.
    """
    _check_names(config)
    _check_answers(config)
    if config.source not in config.architectures:
        raise ConfigError(f"zoo.source: expected one of {', '.join(config.architectures)}, got {config.source!r}")
    for name in config.full_size:
        if name not in FULL_SIZE or name not in config.architectures:
            possible = [each for each in config.architectures if each in FULL_SIZE]
            raise UnknownNameError("architecture in zoo.full_size", name, possible)
    architectures = config.architectures
    suspects = [parse_id(model_id, config, "suspects") for model_id in _suspect_ids(config)]
    training = [parse_id(model_id, config, "training") for model_id in (*config.pool.positive, *config.pool.negative)]
    known = {spec.id for spec in suspects}
    for spec in training:
        if spec.id in known:
            raise ConfigError(f"zoo.pool: {spec.id!r} is a suspect and cannot be a training model; append -t1 to it")
        wanted = "positive" if spec.id in config.pool.positive else "negative"
        if spec.role != wanted:
            raise ConfigError(f"zoo.pool.{wanted}: {spec.id!r} is {spec.role} by its lineage")
        if spec.copied:
            raise ConfigError(f"zoo.pool.{wanted}: {spec.id!r} is a copy of a file, expected a model that is trained")
        if wanted == "positive" and spec.parent is None:
            raise ConfigError(
                f"zoo.pool.positive: {spec.id!r} would learn from the owner's data and not from the source, as an "
                f"honest twin does; expected ids such as distill-{config.source}-source-t1"
            )
    twins = [_twin(model_id, config) for model_id in config.pool.twins]
    plus = [parse_id(model_id, config, "plus") for model_id in _plus_ids(config)]
    copies = {attack: _levels(attack, config) for attack in _LEVELS}
    students = dict.fromkeys(STUDENT_ATTACKS, architectures)
    calibration = [parse_id(model_id, config, "calibration") for model_id in calibration_ids(config, copies, students)]
    return Lineage(tuple(suspects + training + twins + plus + calibration))


def _levels(attack: str, config: ZooConfig) -> tuple[str, ...]:
    return tuple(config.levels.get(attack, _LEVELS[attack]))


def _copies_source(config: ZooConfig) -> bool:
    """Whether thieves may change a copy of the source's weights."""
    return config.own is None or config.own.copied


def _check_names(config: ZooConfig) -> None:
    known = {*ARCHITECTURES, *config.networks}
    for where, names, possible in (
        ("architectures", config.architectures, known),
        ("widths", config.widths, {"default", *ARCHITECTURES}),
        ("overrides", config.overrides, known),
        ("levels", config.levels, _LEVELS),
    ):
        _check_known("architecture" if where == "architectures" else f"key of zoo.{where}", names, possible)
    taken = {OWN, "default", *ARCHITECTURES} & set(config.networks)
    if taken:
        raise ConfigError(
            f"zoo.networks: expected names that are neither 'default', {OWN!r} nor an architecture of this project, "
            f"got {min(taken)!r}"
        )
    for attack, section in config.attacks.items():
        attack_settings(attack, section)


def _check_answers(config: ZooConfig) -> None:
    """Whoever asks a black box for each augmented image of each epoch, as the paper does, has to say so."""
    if config.own is not None and config.own.remembered and "answers" not in config.attacks.get("distill", {}):
        raise ConfigError(
            "zoo.attacks.distill.answers: expected 'once', to ask the owner's model each image once, or 'each', to "
            "ask it every augmented image of every epoch and keep all answers, got neither"
        )


def _check_known(kind: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, known)


def _twin(model_id: str, config: ZooConfig) -> ModelSpec:
    spec = parse_id(model_id, config, "twins")
    if not model_id.startswith("twin-") or not _TRAINING_SUFFIX.search(model_id):
        raise ConfigError(f"zoo.pool.twins: expected ids such as twin-{config.source}-t1, got {model_id!r}")
    return spec


def _plus_ids(config: ZooConfig) -> Iterator[str]:
    plus = config.plus
    yield from (f"twin-{architecture}" for architecture in plus.twins)
    yield from (f"cross-{architecture}" for architecture in plus.cross)
    yield from (f"compress-{form}-{model_id}" for model_id in plus.compressed for form in COMPRESSION_NAMES)
    yield from (f"defend-{defence}-{SOURCE_ID}" for defence in plus.defences)


def _suspect_ids(config: ZooConfig) -> Iterator[str]:
    architectures = config.suspects or config.architectures
    others = [name for name in architectures if name != config.source]
    for victim in (SOURCE_ID, MIRROR_ID):
        yield victim
        if victim == MIRROR_ID or _copies_source(config):
            for attack in _LEVELS:
                yield from (f"{attack}-{level}-{victim}" for level in _levels(attack, config))
        for attack in STUDENT_ATTACKS:
            yield from (f"{attack}-{architecture}-{victim}" for architecture in architectures)
    for architecture in others:
        yield f"scratch-{architecture}"
        yield f"distill-{config.source}-scratch-{architecture}"


def parse_id(model_id: str, config: ZooConfig, pool: Pool) -> ModelSpec:
    """The spec that ``model_id`` says.

    Raises:
        ConfigError: the id does not follow the grammar, or names an attack, level or architecture that is not there.
    """
    plain = _SUFFIX.sub("", model_id)
    suffix = model_id.removeprefix(plain) if pool == "calibration" else ""
    if plain in (SOURCE_ID, MIRROR_ID):
        role, data, mirror = ("positive", "A", MIRROR_ID) if plain == SOURCE_ID else ("negative", "B", None)
        return ModelSpec(model_id, _architecture_of(plain, config), "train", role, data, mirror=mirror, pool=pool)  # type: ignore[arg-type]
    attack, _, rest = plain.partition("-")
    if attack == "scratch":
        return ModelSpec(model_id, _architecture(rest, config), "train", "negative", "B", pool=pool)
    if attack == "twin":
        return ModelSpec(model_id, _architecture(rest, config), "train", "negative", "A", pool=pool)
    if attack == "cross":
        return ModelSpec(model_id, _architecture(rest, config), "distill", "positive", "B", SOURCE_ID, pool=pool)
    detail, _, victim = rest.partition("-")
    if attack in COPIES:
        return _copy(model_id, attack, detail, parse_id(victim, config, pool))
    if attack in _LEVELS:
        if detail not in _LEVELS[attack]:
            raise UnknownNameError(f"level of {attack} in {model_id!r}", detail, _LEVELS[attack])
        architecture, level, data = _architecture_of(victim, config), detail, "finetune"
    elif attack in STUDENT_ATTACKS:
        own_half = "A" if victim == SOURCE_ID or victim.startswith("twin-") else "B"
        architecture, level = _architecture(detail, config), ""
        data = own_half if attack == "distill" else "knockoff"
    else:
        known = ("scratch", *_LEVELS, *STUDENT_ATTACKS, "twin", "cross", *COPIES)
        raise UnknownNameError(f"attack in {model_id!r}", attack, known)
    _check_victim(victim, model_id, config)
    if victim == SOURCE_ID and attack in _LEVELS and not _copies_source(config):
        raise ConfigError(f"{model_id!r}: the source is a black box or not to be copied, expected distill or knockoff")
    role = "positive" if victim == SOURCE_ID else "negative"
    mirror = f"{attack}-{detail}-{MIRROR_ID}" if role == "positive" and pool == "suspects" else None
    parent = victim if victim == SOURCE_ID else victim + suffix
    return ModelSpec(model_id, architecture, attack, role, data, parent, mirror, level, pool)  # type: ignore[arg-type]


def _copy(model_id: str, attack: str, level: str, original: ModelSpec) -> ModelSpec:
    """A copy of the file of ``original``: 8-bit ones are calibrated on the thief's images, defences need none."""
    if level not in COPIES[attack]:
        raise UnknownNameError(f"level of {attack} in {model_id!r}", level, COPIES[attack])
    if original.role != "positive":
        raise ConfigError(
            f"{model_id!r}: expected a copy of the source or of a model stolen from it, got an honest one's"
        )
    data = "finetune" if attack == "compress" else ""
    return replace(original, id=model_id, attack=attack, level=level, data=data, parent=original.id, mirror=None)


def _architecture(name: str, config: ZooConfig) -> str:
    if name not in config.architectures:
        raise UnknownNameError("architecture of the zoo", name, config.architectures)
    return name


def _architecture_of(victim: str, config: ZooConfig) -> str:
    if victim == SOURCE_ID and config.own is not None:
        return OWN
    return config.source if victim in (SOURCE_ID, MIRROR_ID) else victim.partition("-")[2]


def _check_victim(victim: str, model_id: str, config: ZooConfig) -> None:
    attack, _, architecture = victim.partition("-")
    from_scratch = attack in ("scratch", "twin") and architecture in config.architectures
    if victim not in (SOURCE_ID, MIRROR_ID) and not from_scratch:
        raise ConfigError(
            f"{model_id!r}: expected a victim 'source', 'mirror', 'scratch-<architecture>' or 'twin-<architecture>', "
            f"got {victim!r}"
        )
