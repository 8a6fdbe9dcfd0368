"""Stage ``fingerprint``: a scheme makes its query set from the source, the training models, the data and a GAN."""

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nf.calibration import CalibrationPool
from nf.core.calibration import CalibrationModel
from nf.core.controls import Controls, draw_controls
from nf.core.errors import ArtifactError, ConfigError, NotEnoughQueriesError
from nf.core.files import canonical_json, read_json, sha256_json
from nf.core.lineage import SOURCE_ID, Lineage, ModelSpec
from nf.core.paths import CARD_FILE, SHEET_FILE
from nf.core.queries import QuerySet
from nf.core.seeds import derive_seed
from nf.data import LabelledImages, Splits, to_float
from nf.fingerprints import Inputs, Scheme, Task, TrainingModels, make_scheme, sheet
from nf.gan import gan_digest, load_gan
from nf.models import load_model, predicted_labels, resolve_device
from nf.stages.own_model import load_source, require_gradients
from nf.stages.run import Run
from nf.zoo import fingerbench

_logger = logging.getLogger(__name__)

_UNUSUAL = 0.1
"""Share of the calibration models that may get fewer control images right than is called usual, and of honest ones more
than is called best."""

_GOOD = 0.75
"""Quantile of the honest calibration models' accuracies that is held against the source's: some are made worse."""


def fingerprint(run: Run, scheme: str) -> Path:
    """Make the query set of ``scheme`` and return its folder.

    Raises:
        UnknownNameError: the profile or the registry has no such scheme.
        ArtifactError: a model or the GAN is missing or damaged.
        NotEnoughQueriesError: too few queries survive the screen.
    """
    section = run.profile.section("schemes", scheme)
    queries = make_queries(run, scheme, section, count=run.profile.queries, seed=_seed(run, scheme))
    folder = run.layout.fingerprint(scheme)
    queries.save(folder)
    sheet(folder / SHEET_FILE, queries, Splits.load(run.layout.data).class_names)
    return folder


def make_queries(run: Run, scheme: str, section: Mapping[str, Any], *, count: int, seed: int) -> QuerySet:
    """``count`` queries of ``scheme`` with the hyper-parameters in ``section``; errors as ``fingerprint``."""
    return make_queries_by(run, make_scheme(scheme, section), count=count, seed=seed)


def make_queries_by(run: Run, maker: Scheme, *, count: int, seed: int) -> QuerySet:
    """``count`` queries of a scheme that is made already, maybe with steps of one's own; errors as ``fingerprint``."""
    splits = Splits.load(run.layout.data)
    task = _task(run, maker, splits, count, seed)
    queries = maker(
        task.models,
        task.data,
        task.gan,
        queries=task.queries,
        seed=task.seed,
        progress=task.progress,
        calibration=task.calibration,
    )
    queries.card["data_hash"] = _data_hash(splits)
    queries.card["made_from"] = _made_from(run, maker, task)
    controls = controls_of(splits, run.profile.controls, seed, task.calibration, queries.images)
    controls = _with_accuracies(controls, run, task.calibration)
    if splits.test_split_off and run.profile.zoo.own is not None:
        # The owner's model, and each copy of it, is right on images that it learned from, which says nothing of others.
        controls = replace(controls, best=None, source_accuracy=None)
    warn_of_weak_models(controls)
    return replace(queries, controls=controls)


def warn_of_weak_models(controls: Controls) -> None:
    """Say before somebody relies on it that honest calibration models are worse than the source, or much worse."""
    if controls.source_accuracy is None:
        return
    right = round(controls.source_accuracy * len(controls))
    if controls.too_good(right, len(controls)):
        _logger.warning(
            "the source gets %d of %d control images right, where one in ten honest calibration models gets %d: no "
            "verdict on models as good as the source; train the others for longer",
            right,
            len(controls),
            controls.best,
        )
    elif controls.weakness is not None:
        _logger.warning("%s; train the others for longer", controls.weakness)


def _with_accuracies(controls: Controls, run: Run, pool: CalibrationPool | None) -> Controls:
    """``controls`` with what share of the test images the source and honest calibration models get right."""
    if pool is None:
        return controls
    honest = [model.id for model in pool.models if model.group != "thief" and model.kind == "train"]
    source, *others = (
        read_json(run.layout.zoo / name / CARD_FILE, advice="build the model with `nf zoo`")["test_accuracy"]
        for name in (SOURCE_ID, *honest)
    )
    honest_accuracy = round(float(np.quantile(others, _GOOD)), 6) if others else None
    return replace(controls, source_accuracy=source, honest_accuracy=honest_accuracy)


def controls_of(
    splits: Splits, count: int, seed: int, pool: CalibrationPool | None, queries: NDArray[np.uint8]
) -> Controls:
    """``count`` images of the test half, as far as they are no ``queries``, and how many of them ``pool`` gets right.

    Raises:
        NotEnoughQueriesError: all test images are queries.
    """
    others = _no_queries(splits, queries)
    if not len(others):
        raise NotEnoughQueriesError(
            f"expected test images that are no queries, as controls, got none of {len(splits['test'])}; ask for fewer "
            "queries, or give more test images"
        )
    places = draw_controls(others.labels, count, derive_seed(seed, "controls"))
    images, labels = others.images[places], others.labels[places]
    usual = best = None
    if pool is not None:
        right = (pool.ask(images) == labels).sum(axis=1)
        honest = right[[model.group != "thief" for model in pool.models]]
        usual = int(np.quantile(right, _UNUSUAL, method="lower"))
        best = int(np.quantile(honest, 1 - _UNUSUAL, method="higher"))
    return Controls(images, labels, splits.class_names, splits.mean, splits.std, usual, best)


def _no_queries(splits: Splits, queries: NDArray[np.uint8]) -> LabelledImages:
    """The test half but for what is a query."""
    test, asked = splits["test"], {image.tobytes() for image in queries}
    return test.take(np.flatnonzero([image.tobytes() not in asked for image in test.images]))


def has_query_set(run: Run, scheme: str) -> bool:
    """Whether there is a whole query set of ``scheme`` that was made with these settings, models, images and versions.

    Levels and number of controls count among the settings.

    Raises:
        UnknownNameError: the profile or the registry has no such scheme.
        ArtifactError: a model or the GAN is missing or damaged.
    """
    maker = make_scheme(scheme, run.profile.section("schemes", scheme))
    try:
        made = QuerySet.load(run.layout.fingerprint(scheme))
    except ArtifactError:
        return False
    if made.controls is None:  # made before there were any; the queries themselves come out the same
        return False
    if made.calibration is not None and made.calibration.levels != run.profile.levels:
        return False
    splits = Splits.load(run.layout.data)
    if len(made.controls) != min(run.profile.controls, len(_no_queries(splits, made.images))):
        return False
    task = _task(run, maker, splits, run.profile.queries, _seed(run, scheme))
    wanted = {**maker.provenance(task), "queries": run.profile.queries, "data_hash": _data_hash(splits)}
    return canonical_json(wanted) == canonical_json({key: made.card.get(key) for key in wanted})


def _made_from(run: Run, maker: Scheme, task: Task) -> dict[str, Any]:
    """Hash of the recipes of the models of ``task``, and digests of the GANs, for ``nf.stages.freshness``."""
    held_out = [model.id for model in task.calibration.models] if task.calibration else []
    cards = {
        model_id: read_json(run.layout.zoo / model_id / CARD_FILE, advice="build the model with `nf zoo`")
        for model_id in (SOURCE_ID, *task.models.by_id(), *held_out)
    }
    return {
        "models": sha256_json({model_id: card.get("recipe") for model_id, card in cards.items()}),
        "gans": {name: gan_digest(run.layout.gan(name)) for name in maker.gans},
    }


def _data_hash(splits: Splits) -> dict[str, str]:
    """Hashes of the images that a scheme is given."""
    return {name: splits.hashes[name] for name in ("A", "test")}


def _seed(run: Run, scheme: str) -> int:
    return derive_seed(run.profile.seed, "fingerprint", scheme)


def _task(run: Run, maker: Scheme, splits: Splits, queries: int, seed: int) -> Task:
    own, test = splits["A"], splits["test"]
    data = Inputs(
        torch.from_numpy(own.images),
        torch.from_numpy(own.labels),
        torch.from_numpy(test.images),
        torch.from_numpy(test.labels),
        splits.num_classes,
    )

    def report(done: int, total: int, figures: Mapping[str, float]) -> None:
        run.progress(done, total, ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))

    device = resolve_device(run.profile.execution.device)
    gan = load_gan(run.layout.gan(maker.config.gan), device) if maker.needs_gan else None
    models = training_models(run, twins=maker.wants_twins)
    if maker.needs_gradients:
        require_gradients(models.source, maker.name)
    return Task(models, data, gan, queries, seed, report, calibration_pool(run))


def training_models(run: Run, *, twins: bool = False) -> TrainingModels:
    """The source and the profile's training models from the zoo, on its device; ``twins`` join the negatives.

    Raises:
        ArtifactError: one is missing or damaged.
        ConfigError: twins are wanted and the profile has none.
    """
    lineage = fingerbench(run.profile.zoo)
    positives = lineage.select(pool="training", role="positive")
    negatives = lineage.select(pool="training", role="negative")
    if twins:
        owners = lineage.select(pool="twins")
        if not owners:
            raise ConfigError("twins: expected some in zoo.pool.twins to train against, got none")
        negatives += owners

    device = resolve_device(run.profile.execution.device)

    positive_ids, negative_ids = (tuple(spec.id for spec in side) for side in (positives, negatives))

    def load(model_id: str) -> nn.Module:
        if model_id == SOURCE_ID:
            return load_source(run.layout).to(device)
        return load_model(run.layout.zoo / model_id)[0].to(device)

    with ThreadPoolExecutor() as threads:
        source, *others = threads.map(load, (SOURCE_ID, *positive_ids, *negative_ids))
    stolen, honest = others[: len(positives)], others[len(positives) :]
    return TrainingModels(source, tuple(stolen), tuple(honest), positive_ids, negative_ids)


def calibration_pool(run: Run) -> CalibrationPool | None:
    """The profile's calibration models, which are loaded one by one as they are asked; ``None`` if it has none.

    Raises:
        ArtifactError: one is missing.
        ConfigError: they are too few to calibrate by.
    """
    lineage = fingerbench(run.profile.zoo)
    specs = lineage.select(pool="calibration")
    if not specs:
        return None
    device = resolve_device(run.profile.execution.device)
    advice = "build the model with `nf zoo`"
    cards = {spec.id: read_json(run.layout.zoo / spec.id / CARD_FILE, advice=advice) for spec in specs}

    def answers_of(spec: ModelSpec, images: Tensor) -> NDArray[np.int64]:
        model = load_model(run.layout.zoo / spec.id)[0].to(device)
        return predicted_labels(model, images).cpu().numpy()

    def ask(images: NDArray[np.uint8]) -> NDArray[np.int64]:
        given = to_float(torch.from_numpy(images).to(device))
        with ThreadPoolExecutor(run.profile.execution.workers) as threads:
            return np.stack(list(threads.map(partial(answers_of, images=given), specs)))

    return CalibrationPool(
        tuple(_calibration_model(lineage, spec, owners_splits(run)) for spec in specs),
        ask,
        run.profile.levels,
        sha256_json({name: card.get("weights_sha256") for name, card in cards.items()}),
    )


def owners_splits(run: Run) -> tuple[str, ...]:
    """Splits whose images the owner's model may have learned from.

    With a model of the owner's and no ``others``, what independent models would learn from is the owner's, too.
    """
    return ("A", "B") if run.profile.zoo.own is not None and run.profile.data.others is None else ("A",)


def _calibration_model(lineage: Lineage, spec: ModelSpec, owners: Collection[str]) -> CalibrationModel:
    """What ``spec`` is to the source, whose owner has the images of the splits ``owners``."""
    root = lineage.root(spec.id)
    if spec.role == "positive":
        return CalibrationModel(spec.id, "thief", spec.attack, root.id)
    return CalibrationModel(spec.id, "twin" if root.data in owners else "independent", spec.attack, root.id)
