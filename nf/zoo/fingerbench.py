"""FingerBench as data (the paper's table 1): 154 suspects by id, their lineage, and the training models.

An id says what a model is: ``source``, ``mirror``, ``scratch-<architecture>``, ``<attack>-<architecture>-<victim>`` for
``distill`` and ``knockoff``, ``<attack>-<level>-<victim>`` for the attacks on a copy's weights. A training model
carries a suffix ``-t1``, ``-t2``, …, which also gives it a seed of its own.
"""

import re
from collections.abc import Iterator

from nf.core.config import ZooConfig
from nf.core.errors import ConfigError, UnknownNameError
from nf.core.lineage import MIRROR_ID, SOURCE_ID, Lineage, ModelSpec, Pool

FINE_TUNING_MODES = ("FTLL", "FTAL", "RTLL", "RTAL")
PRUNING_RATIOS = tuple(f"{i / 10}" for i in range(1, 10))
NOISE_VALUES = tuple(str(i) for i in range(1, 10))
ADVERSARIAL_PROPORTIONS = tuple(f"{i / 10}" for i in range(1, 11))

_LEVELS = {
    "finetune": FINE_TUNING_MODES,
    "prune": PRUNING_RATIOS,
    "noise": NOISE_VALUES,
    "adversarial": ADVERSARIAL_PROPORTIONS,
}
_EXTRACTIONS = ("distill", "knockoff")
_TRAINING_SUFFIX = re.compile(r"-t\d+$")


def fingerbench(config: ZooConfig) -> Lineage:
    """All suspects and training models of a profile.

    With 15 architectures these are 63 positive and 91 negative suspects. Training positives come from the source,
    training negatives do not.

    Raises:
        ConfigError: a training model is also a suspect, has the wrong role, or an id says nothing.
    """
    if config.source not in config.architectures:
        raise ConfigError(f"zoo.source: expected one of {', '.join(config.architectures)}, got {config.source!r}")
    suspects = [parse_id(model_id, config, "suspects") for model_id in _suspect_ids(config)]
    training = [parse_id(model_id, config, "training") for model_id in (*config.pool.positive, *config.pool.negative)]
    known = {spec.id for spec in suspects}
    for spec in training:
        if spec.id in known:
            raise ConfigError(f"zoo.pool: {spec.id!r} is a suspect and cannot be a training model; append -t1 to it")
        wanted = "positive" if spec.id in config.pool.positive else "negative"
        if spec.role != wanted:
            raise ConfigError(f"zoo.pool.{wanted}: {spec.id!r} is {spec.role} by its lineage")
    return Lineage(tuple(suspects + training))


def _suspect_ids(config: ZooConfig) -> Iterator[str]:
    others = [name for name in config.architectures if name != config.source]
    for victim in (SOURCE_ID, MIRROR_ID):
        yield victim
        for attack, levels in _LEVELS.items():
            yield from (f"{attack}-{level}-{victim}" for level in config.levels.get(attack, levels))
        for attack in _EXTRACTIONS:
            yield from (f"{attack}-{architecture}-{victim}" for architecture in config.architectures)
    for architecture in others:
        yield f"scratch-{architecture}"
        yield f"distill-{config.source}-scratch-{architecture}"


def parse_id(model_id: str, config: ZooConfig, pool: Pool) -> ModelSpec:
    """The spec that ``model_id`` says.

    Raises:
        ConfigError: the id does not follow the grammar, or names an attack, level or architecture that is not there.
    """
    plain = _TRAINING_SUFFIX.sub("", model_id)
    if plain in (SOURCE_ID, MIRROR_ID):
        role, data, mirror = ("positive", "A", MIRROR_ID) if plain == SOURCE_ID else ("negative", "B", None)
        return ModelSpec(model_id, config.source, "train", role, data, mirror=mirror, pool=pool)  # type: ignore[arg-type]
    attack, _, rest = plain.partition("-")
    if attack == "scratch":
        return ModelSpec(model_id, _architecture(rest, config), "train", "negative", "B", pool=pool)
    detail, _, victim = rest.partition("-")
    if attack in _LEVELS:
        if detail not in _LEVELS[attack]:
            raise UnknownNameError(f"level of {attack} in {model_id!r}", detail, _LEVELS[attack])
        architecture, level, data = config.source, detail, "finetune"
    elif attack in _EXTRACTIONS:
        own_half = "A" if victim == SOURCE_ID else "B"
        architecture, level = _architecture(detail, config), ""
        data = own_half if attack == "distill" else "knockoff"
    else:
        raise UnknownNameError(f"attack in {model_id!r}", attack, ("scratch", *_LEVELS, *_EXTRACTIONS))
    _check_victim(victim, model_id, config)
    role = "positive" if victim == SOURCE_ID else "negative"
    mirror = f"{attack}-{detail}-{MIRROR_ID}" if role == "positive" and pool == "suspects" else None
    return ModelSpec(model_id, architecture, attack, role, data, victim, mirror, level, pool)  # type: ignore[arg-type]


def _architecture(name: str, config: ZooConfig) -> str:
    if name not in config.architectures:
        raise UnknownNameError("architecture of the zoo", name, config.architectures)
    return name


def _check_victim(victim: str, model_id: str, config: ZooConfig) -> None:
    attack, _, architecture = victim.partition("-")
    if victim not in (SOURCE_ID, MIRROR_ID) and not (attack == "scratch" and architecture in config.architectures):
        raise ConfigError(
            f"{model_id!r}: expected a victim 'source', 'mirror' or 'scratch-<architecture>', got {victim!r}"
        )
