"""What asking a zoo takes, before the zoo is there: ``python -m benchmarks.asking --profile cifar10``.

Each architecture of the profile is exported once, untrained; its file stands for all of its suspects. They are asked as
the stage ``score`` asks, all 100 queries and with a session of their own each, on as many threads as the profile has
workers, or cores where those are fewer. Writes ``results/verification-<profile>.json``.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nf.core.files import write_json
from nf.core.queries import QuerySet
from nf.models import build_classifier
from nf.models.onnx import OnnxExporter
from nf.stages.provenance import git_commit, machine, versions
from nf.stages.run import Run
from nf.stages.score import score_suspects
from nf.stages.zoo_suspects import write_exports_card
from nf.zoo import fingerbench
from tools.results.architectures import CLASSES

ROOT = Path(__file__).resolve().parent.parent


def export(run: Run) -> dict[str, float]:
    """Write a file for each suspect; returns the seconds of tracing and writing the one of each architecture."""
    data, zoo, seconds = run.profile.data, run.profile.zoo, {}
    form: dict[str, Any] = {"in_channels": data.channels, "num_classes": CLASSES, "mean": [0.5] * data.channels}
    first = {}
    run.layout.onnx.mkdir(parents=True)
    for name in zoo.architectures:
        started = time.perf_counter()
        model = build_classifier(name, **zoo.network(name), **form, std=[0.25] * data.channels, seed=0).eval()
        first[name] = run.layout.onnx / f"architecture-{name}"
        OnnxExporter().export(model, name, (data.channels, data.image_size, data.image_size), first[name])
        seconds[name] = round(time.perf_counter() - started, 2)
    for spec in fingerbench(zoo).specs:
        run.layout.exported(spec.id).symlink_to(first[spec.architecture])
    write_exports_card(run.layout, (spec.id for spec in fingerbench(zoo).specs))
    return seconds


def main(name: str, repeats: int) -> None:
    """Export, ask ``repeats`` times, write the record."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = Run.open(name, params=ROOT / "params.yaml", out=Path(folder))
        threads = min(run.profile.execution.workers, len(os.sched_getaffinity(0)))
        run = replace(run, profile=replace(run.profile, execution=replace(run.profile.execution, workers=threads)))
        exported = export(run)
        count, data = run.profile.queries, run.profile.data
        shape = (count, data.channels, data.image_size, data.image_size)
        images = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
        queries = QuerySet(images, np.zeros(count, dtype=np.int64), np.full(count, -1, dtype=np.int64))
        seconds = []
        for _ in range(repeats):
            started = time.perf_counter()
            table, _ = score_suspects(run, queries)
            seconds.append(round(time.perf_counter() - started, 1))
            print(seconds, flush=True)
    record = {
        "what": f"seconds in which all models of the profile {name}, untrained, answer a query set through onnxruntime",
        "suspects": len(table.rows),
        "queries": count,
        "threads": threads,
        "seconds": seconds,
        "export_seconds": exported,
        "machine": machine(),
        "versions": versions(),
        "commit": git_commit(ROOT),
    }
    write_json(ROOT / "results" / f"verification-{name}.json", record)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="cifar10")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.profile, arguments.repeats)
