"""Stage ``fingerprint``: a scheme makes its query set from the source, the training models, the data and a GAN."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nf.core.lineage import SOURCE_ID, ModelSpec
from nf.core.queries import SHEET_FILE, QuerySet
from nf.core.seeds import derive_seed
from nf.data import Splits
from nf.fingerprints import Inputs, TrainingModels, make_scheme, sheet
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
    section = run.profile.section("schemes", scheme)
    seed = derive_seed(run.profile.seed, "fingerprint", scheme)
    queries = make_queries(run, scheme, section, count=run.profile.queries, seed=seed)
    folder = run.layout.fingerprint(scheme)
    queries.save(folder)
    sheet(folder / SHEET_FILE, queries, Splits.load(run.layout.data).class_names)
    return folder


def make_queries(run: Run, scheme: str, section: Mapping[str, Any], *, count: int, seed: int) -> QuerySet:
    """``count`` queries of ``scheme`` with the hyper-parameters in ``section``; errors as ``fingerprint``."""
    maker = make_scheme(scheme, section)
    splits = Splits.load(run.layout.data)
    own = splits["A"]
    inputs = Inputs(torch.from_numpy(own.images), torch.from_numpy(own.labels), splits.num_classes)
    generator = load_gan(run.layout.gan(maker.config.gan)) if maker.needs_gan else None

    def report(done: int, total: int, figures: Mapping[str, float]) -> None:
        run.progress(done, total, ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))

    queries = maker(
        training_models(run, twins=maker.wants_twins),
        inputs,
        generator,
        queries=count,
        seed=seed,
        progress=report,
    )
    queries.card["data_hash"] = splits.hashes["A"]
    return queries


def training_models(run: Run, *, twins: bool = False) -> TrainingModels:
    """The source and the profile's training models from the zoo; ``twins`` join the negatives.

    Raises:
        ArtifactError: one is missing or damaged.
    """
    lineage = fingerbench(run.profile.zoo)
    positives = lineage.select(pool="training", role="positive")
    negatives = lineage.select(pool="training", role="negative") + (lineage.select(pool="twins") if twins else [])

    def load(specs: list[ModelSpec]) -> tuple[nn.Module, ...]:
        return tuple(load_model(run.layout.zoo / spec.id)[0] for spec in specs)

    return TrainingModels(
        load_model(run.layout.zoo / SOURCE_ID)[0],
        load(positives),
        load(negatives),
        tuple(spec.id for spec in positives),
        tuple(spec.id for spec in negatives),
    )
