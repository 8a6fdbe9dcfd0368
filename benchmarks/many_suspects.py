"""Whether memory grows with the number of suspects: ``python -m benchmarks.many_suspects``.

Small classifiers of scikit-learn's digits, each with weights of its own, are written as ONNX files. One process asks
them one after the other as ``nf verify FOLDER`` does, control images first, each in a process of its own, and judges
all at the end. What the asking process holds is sampled after each. Writes ``results/many-suspects.json``.
"""

import argparse
import os
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import psutil
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

from nf.cli.asking import Case, ask_all, judged, open_suspects
from nf.cli.verdicts import Terms, outcome_of, tell_many
from nf.core.controls import Controls
from nf.core.files import write_json
from nf.core.queries import QuerySet
from nf.stages.provenance import git_commit, machine, versions
from nf.suspects import Interface

ROOT = Path(__file__).resolve().parent.parent
HIDDEN, CONTROLS, QUERIES = 512, 64, 100
Floats = NDArray[np.float32]


def digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(N, 1, 8, 8) images and (N,) labels in a random order."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)[:, None]
    return images[order], data.target[order].astype(np.int64)


def train(images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
    """Random features and a least-squares layer over them, learned from a random half of the images."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(images[0].size, HIDDEN)).astype(np.float32)
    half = rng.permutation(len(images))[: len(images) // 2]
    features = np.maximum(images[half].reshape(len(half), -1).astype(np.float32) / 255 @ first, 0)
    wanted = np.eye(10, dtype=np.float32)[labels[half]]
    ridge = features.T @ features + 10 * np.eye(HIDDEN, dtype=np.float32)
    return first, np.linalg.solve(ridge, features.T @ wanted).astype(np.float32)


def write(path: Path, first: Floats, last: Floats) -> None:
    """The classifier as an ONNX file."""
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["features"]),
        helper.make_node("MatMul", ["features", "last"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 1, 8, 8])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])]
    weights = [numpy_helper.from_array(first, "first"), numpy_helper.from_array(last, "last")]
    graph = helper.make_graph(nodes, "digits", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def main(count: int) -> None:
    """Write the suspects, ask them, write the record."""
    images, labels = digits()
    asked = CONTROLS + QUERIES
    controls = Controls(images[:CONTROLS], labels[:CONTROLS])
    card = {"scheme": "naturalfinger", "threshold": 0.9, "num_classes": 10}
    ours, theirs = labels[CONTROLS:asked], np.full(QUERIES, -1)
    queries = QuerySet(images[CONTROLS:asked], ours, theirs, card, controls=controls)
    process, held, cases = psutil.Process(), [], list[Case]()
    with tempfile.TemporaryDirectory() as folder:
        suspects = Path(folder) / "suspects"
        suspects.mkdir()
        for number in range(count):
            write(suspects / f"{number:04}.onnx", *train(images[asked:], labels[asked:], number))
        size = sum(path.stat().st_size for path in suspects.iterdir())
        opened = open_suspects([str(suspects)], stated=Interface(), timeout=None, journal=None)
        started = time.perf_counter()
        for case in ask_all(opened, Path(folder), queries, Interface()):
            cases.append(case)
            held.append(process.memory_info().rss)
        seconds = time.perf_counter() - started
        cases = judged(cases, queries, None)
        told = tell_many(cases, Terms(Path(folder), queries, Interface()), as_json=True)
    settled = np.array(held[count // 10 :])  # what a first few bring is not growth
    record = {
        "what": "memory of one process that asks many ONNX suspects one after the other, and judges them at the end",
        "suspects": count,
        "bytes_of_all_suspects": size,
        "outcomes": dict(Counter(outcome_of(case) for case in cases)),
        "bytes_printed_as_json": len(told),
        "resident_bytes": {
            "after": {
                str(place): held[place - 1] for place in (1, 10, 50, *range(100, count + 1, 100)) if place <= count
            },
            "after_judging": process.memory_info().rss,
            "most": max(held),
            "growth_per_suspect": round(float(np.polyfit(np.arange(len(settled)), settled, 1)[0])),
        },
        "resident_bytes_of_the_largest_process_of_a_suspect": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        << 10,
        "seconds": round(seconds),
        "load_average_at_the_end": os.getloadavg()[2],
        "machine": machine(),
        "versions": versions(),
        "commit": git_commit(ROOT),
    }
    write_json(ROOT / "results" / "many-suspects.json", record)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suspects", type=int, default=1000)
    main(parser.parse_args().suspects)
