"""Stage ``fingerprint``: a scheme makes its query set from the source, the training models, the data and a GAN."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from nf.core.files import read_json
from nf.core.lineage import SOURCE_ID, ModelSpec
from nf.core.queries import SHEET_FILE
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
    maker = make_scheme(scheme, run.profile.section("schemes", scheme))
    splits = Splits.load(run.layout.data)
    own, test = splits["A"], splits["test"]
    inputs = Inputs(
        torch.from_numpy(own.images),
        torch.from_numpy(own.labels),
        torch.from_numpy(test.images),
        torch.from_numpy(test.labels),
        splits.num_classes,
    )
    generator = load_gan(run.layout.gan(maker.config.gan)) if maker.needs_gan else None

    def report(done: int, total: int, figures: Mapping[str, float]) -> None:
        run.progress(done, total, ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))

    queries = maker(
        training_models(run),
        inputs,
        generator,
        queries=run.profile.queries,
        seed=derive_seed(run.profile.seed, "fingerprint", scheme),
        progress=report,
    )
    queries.card["data_hash"] = read_json(run.layout.data / "card.json")["hashes"]["A"]
    folder = run.layout.fingerprint(scheme)
    queries.save(folder)
    sheet(folder / SHEET_FILE, queries, splits.class_names)
    return folder


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
