"""Building one model of the zoo from its spec, its parent on disk and the data."""

import logging
import platform
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from nf.attacks import Job, Outcome, run_attack
from nf.core.errors import ArtifactError, ConfigError
from nf.core.lineage import OWN, SOURCE_ID, STUDENT_ATTACKS, ModelSpec
from nf.core.version import VERSION
from nf.data import Augment, Splits
from nf.models import (
    Classifier,
    OutsideClassifier,
    accuracy,
    build_network,
    build_outside,
    is_current,
    load_checkpoint,
    load_model,
    load_weights,
    round_weights,
    save_model,
)
from nf.zoo.plan import ZooPlan

_logger = logging.getLogger(__name__)


def is_built(plan: ZooPlan, model_id: str, folder: Path) -> bool:
    """Whether ``folder/<model_id>`` holds the model of the plan; a damaged one is logged and counts as missing."""
    try:
        return is_current(folder / model_id, plan.hashes[model_id])
    except ArtifactError as error:
        _logger.warning("%s; building %s again", error, model_id)
        return False


OpenSource = Callable[[ZooPlan, Path], Classifier]
"""Function (the zoo, its folder) -> the owner's model, as students learn from it, in eval mode."""


def build_model(
    plan: ZooPlan,
    model_id: str,
    splits: Splits,
    folder: Path,
    *,
    device: str = "cpu",
    open_source: OpenSource | None = None,
) -> dict[str, Any]:
    """Build one model into ``folder/<model_id>``.

    Args:
        plan: the zoo that the model is part of.
        model_id: id of the model in the plan.
        splits: images of the profile.
        folder: folder of the zoo, which holds the model's parent.
        device: torch device to train on.
        open_source: opens a source that the owner trained elsewhere.

    Returns:
        The model's card.

    Raises:
        ArtifactError: the model's parent is not built, or the disk is full.
        TrainingError: training diverged.
    """
    spec = plan.lineage[model_id]
    build = plan.build_arguments(spec.architecture)
    seed = plan.seed(spec)
    job = Job(
        level=spec.level,
        data=spec.data,
        splits=splits,
        victim=None if spec.parent is None else _load_victim(plan, spec, folder, open_source).to(device),
        fresh=lambda: _fresh(plan, spec, seed).to(device),
        training=plan.schedule(spec),
        augment=Augment(plan.profile.data.padding, plan.profile.data.flip),
        seed=seed,
        precision=plan.profile.zoo.precision,
    )
    given = plan.profile.zoo.source_weights if model_id == SOURCE_ID else None
    own = plan.profile.zoo.own
    if model_id == SOURCE_ID and own is not None:
        owners = build_outside(**build, weights=own.weights) if own.trainable else _require(open_source)(plan, folder)
        outcome = Outcome(owners.to(device).eval())
    elif given is not None:
        outcome = Outcome(load_weights(job.fresh(), Path(given)))
    else:
        outcome = run_attack(spec.attack, plan.attack_section(spec), job)
    half = plan.profile.zoo.weights == "float16" and spec.architecture != OWN
    rounding = _round(outcome.model, splits) if half else {}
    card = {
        **_identity(spec),
        **outcome.facts,
        **rounding,
        "recipe": plan.hashes[model_id],
        "seed": seed,
        "data_hash": splits.hashes[spec.data],
        "test_accuracy": _test_accuracy(outcome.model, splits),
        "parameters": sum(parameter.numel() for parameter in outcome.model.parameters()),
        "versions": {"nf": VERSION, "torch": torch.__version__, "python": platform.python_version()},
    }
    return save_model(folder / model_id, outcome.model, build, card, half=half)


def _load_victim(plan: ZooPlan, spec: ModelSpec, folder: Path, open_source: OpenSource | None) -> Classifier:
    """The model that ``spec`` is made from; the owner's is asked where its answers are all that is wanted of it."""
    if spec.parent == SOURCE_ID and plan.profile.zoo.own is not None and spec.attack in STUDENT_ATTACKS:
        return _require(open_source)(plan, folder)
    return load_model(folder / str(spec.parent))[0]


def _fresh(plan: ZooPlan, spec: ModelSpec, seed: int) -> Classifier:
    model = build_network(plan.build_arguments(spec.architecture), seed=seed)
    weights = plan.first_weights(spec.architecture)
    if weights is not None and isinstance(model, OutsideClassifier):
        load_checkpoint(model.network, Path(weights), other_head=True)
    return model


def _require(open_source: OpenSource | None) -> OpenSource:
    if open_source is None:
        raise ConfigError("zoo.own: expected somebody who opens the owner's model; build it with `nf zoo`")
    return open_source


def _test_accuracy(model: Classifier, splits: Splits) -> float:
    test = splits["test"]
    return round(accuracy(model, torch.from_numpy(test.images), torch.from_numpy(test.labels)), 6)


def _round(model: Classifier, splits: Splits) -> dict[str, Any]:
    """Round the weights of ``model``, in place, and return the card's entries about the rounding."""
    before = _test_accuracy(model, splits)
    round_weights(model)
    return {"weights": "float16", "test_accuracy_unrounded": before}


def _identity(spec: ModelSpec) -> Mapping[str, Any]:
    return {
        "id": spec.id,
        "architecture": spec.architecture,
        "attack": spec.attack,
        "level": spec.level,
        "role": spec.role,
        "pool": spec.pool,
        "data": spec.data,
        "parent": spec.parent,
        "mirror": spec.mirror,
    }


def remove_unlisted(plan: ZooPlan, folder: Path) -> list[str]:
    """Delete model folders that the plan does not list, and return their names."""
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir() and path.name not in plan.lineage:
            shutil.rmtree(path)
            removed.append(path.name)
    return removed
