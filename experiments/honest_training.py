"""Does an honest model that learned for longer answer more like a thief?

Honest models of one architecture learn ever longer from images that the owner of ``experiments.own_model`` never saw,
and answer query sets of that example, each calibrated on a zoo of its own.

``python -m experiments.honest_training --images FILE.npz --queries NAME=FOLDER … --record FILE``
"""

from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

import nf
from experiments.own_model import CLASSES, Part, accuracy, prepared, read_parts, train
from nf.core.files import write_json
from nf.core.queries import QuerySet
from nf.models import build_classifier
from nf.stages.provenance import git_commit, machine, versions

_SIZE = 32
_RATE = 0.05
_SEEDS = (1, 2)
_EPOCHS = (2, 4, 7, 10)


def narrow(architecture: str, seed: int) -> nn.Module:
    """An untrained network of this project, in a quarter of its width; it takes pixels as ``prepared`` gives them."""
    return build_classifier(
        architecture, width=0.25, in_channels=3, num_classes=len(CLASSES), mean=(0.0,) * 3, std=(1.0,) * 3, seed=seed
    )


def judged(network: nn.Module, queries: QuerySet) -> dict[str, Any]:
    """What the query set says of a network."""
    with torch.no_grad():
        labels = network(prepared(queries.images, _SIZE)).argmax(1).numpy()
    verdict = nf.decide(nf.Answers(labels), queries)
    independent = None if verdict.independent is None else verdict.independent.value
    return {"score": verdict.score, "p": independent, "outcome": verdict.outcome}


def rows(architecture: str, others: Part, test: Part, sets: dict[str, QuerySet]) -> list[dict[str, Any]]:
    """One row for each model."""
    found = []
    for epochs in _EPOCHS:
        for seed in _SEEDS:
            network = train(narrow(architecture, seed), others, size=_SIZE, epochs=epochs, rate=_RATE, seed=seed)
            row = {"epochs": epochs, "seed": seed, "accuracy": round(accuracy(network, test, _SIZE), 4)}
            found.append({**row, "sets": {name: judged(network, queries) for name, queries in sets.items()}})
            click.echo(str(found[-1]))
    return found


@click.command()
@click.option("--images", type=click.Path(path_type=Path, exists=True), required=True, help="CIFAR-10 as x, y, xt, yt.")
@click.option("--queries", "folders", multiple=True, required=True, help="NAME=FOLDER of a query set; may be repeated.")
@click.option("--architecture", default="resnet18", show_default=True)
@click.option("--record", type=click.Path(path_type=Path), required=True)
def main(images: Path, folders: tuple[str, ...], architecture: str, record: Path) -> None:
    """Train honest models ever longer and hold them against query sets."""
    torch.set_num_threads(1)
    parts = read_parts(images)
    sets = {name: QuerySet.load(Path(place)) for name, _, place in (each.partition("=") for each in folders)}
    models = rows(architecture, parts["others"], parts["test"], sets)
    facts = {"commit": git_commit(Path(__file__).parent), "machine": machine(), "versions": versions()}
    write_json(record, {**facts, "architecture": architecture, "images": len(parts["others"].labels), "models": models})


if __name__ == "__main__":
    main()
