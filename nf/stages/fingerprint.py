"""Stage ``fingerprint``: a scheme makes its query set from the source, the training models, the data and a GAN."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from nf.core.errors import ArtifactError
from nf.core.files import canonical_json, read_json
from nf.core.lineage import SOURCE_ID, ModelSpec
from nf.core.queries import SHEET_FILE, QuerySet
from nf.core.seeds import derive_seed
from nf.data import Splits
from nf.fingerprints import Inputs, Scheme, Task, TrainingModels, make_scheme, sheet
from nf.gan import load_gan
from nf.models import load_model
from nf.stages.run import Run
from nf.zoo import fingerbench


def fingerprint(run: Run, scheme: str) -> Path:
    """Make the query set of ``scheme`` and return its folder.

    Raises:
        UnknownNameError: the profile or the registry has no such scheme.
        ArtifactError: a model or the GAN is missing or damaged.
        NotEnoughQueriesError: too few queries survive the screen.
    """
    maker = make_scheme(scheme, run.profile.section("schemes", scheme))
    task = _task(run, maker)
    queries = maker(task.models, task.data, task.gan, queries=task.queries, seed=task.seed, progress=task.progress)
    queries.card["data_hash"] = _data_hash(run)
    folder = run.layout.fingerprint(scheme)
    queries.save(folder)
    sheet(folder / SHEET_FILE, queries, Splits.load(run.layout.data).class_names)
    return folder


def has_query_set(run: Run, scheme: str) -> bool:
    """Whether there is a whole query set of ``scheme`` that was made with these settings, models, images and versions.

    Raises:
        UnknownNameError: the profile or the registry has no such scheme.
        ArtifactError: a model or the GAN is missing or damaged.
    """
    maker = make_scheme(scheme, run.profile.section("schemes", scheme))
    try:
        card = QuerySet.load(run.layout.fingerprint(scheme)).card
    except ArtifactError:
        return False
    wanted = {**maker.provenance(_task(run, maker)), "queries": run.profile.queries, "data_hash": _data_hash(run)}
    return canonical_json(wanted) == canonical_json({key: card.get(key) for key in wanted})


def _task(run: Run, maker: Scheme) -> Task:
    splits = Splits.load(run.layout.data)
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

    gan = load_gan(run.layout.gan(maker.config.gan)) if maker.needs_gan else None
    seed = derive_seed(run.profile.seed, "fingerprint", maker.name)
    return Task(training_models(run), data, gan, run.profile.queries, seed, report)


def _data_hash(run: Run) -> str:
    return str(read_json(run.layout.data / "card.json")["hashes"]["A"])


def training_models(run: Run) -> TrainingModels:
    """The source and the profile's training models from the zoo.

    Raises:
        ArtifactError: one is missing or damaged.
    """
    lineage = fingerbench(run.profile.zoo)
    positives = lineage.select(pool="training", role="positive")
    negatives = lineage.select(pool="training", role="negative")

    def load(specs: list[ModelSpec]) -> tuple[nn.Module, ...]:
        return tuple(load_model(run.layout.zoo / spec.id)[0] for spec in specs)

    return TrainingModels(
        load_model(run.layout.zoo / SOURCE_ID)[0],
        load(positives),
        load(negatives),
        tuple(spec.id for spec in positives),
        tuple(spec.id for spec in negatives),
    )
