"""Whether memory stays flat and time in proportion at the sizes that owners reach: ``python -m benchmarks.load``.

- A year of watching: 52 runs of ``watch`` over suspects behind a server that speaks the Open Inference Protocol, with a
  new query set every fourth.
- Many suspects in one run of ``watch``.
- Ledgers of many query sets: how long reading one takes, and noting that a suspect has seen a set.
- Many queries, and many classes: one ONNX suspect, asked as ``nf verify`` asks it.

Suspects are random linear classifiers of noise, whose own answers say what is right: what they answer is not in
question. Writes ``results/load.json``.
"""

import json
import os
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psutil
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nf.core.calibration import Calibration, CalibrationModel, Group, Levels, Look
from nf.core.controls import Controls
from nf.core.files import write_json, write_sealed
from nf.core.paths import METRICS_FILE
from nf.core.queries import QuerySet
from nf.monitoring import IssuedSet, Ledger, WatchedSuspect, Watchlist, read_history
from nf.stages.issue import now
from nf.stages.provenance import git_commit, machine, versions
from nf.stages.run import Run
from nf.stages.watch import draw_watch, watch_suspect
from nf.suspects import IsolatedSuspect, examine

ROOT = Path(__file__).resolve().parent.parent
SIDE, CONTROLS = 8, 64
WEEKS, WATCHED, WEEKS_A_SET = 52, 10, 4
MANY = 1000
LEDGERS = (100, 1_000, 10_000)
SIZES = ((100, 10), (1_000, 10), (1_000, 1_000))
Floats = NDArray[np.float32]


def weights(classes: int, seed: int) -> Floats:
    """(pixels, classes) of a linear classifier."""
    return np.random.default_rng(seed).normal(size=(SIDE * SIDE, classes)).astype(np.float32)


def logits(images: NDArray[np.uint8], last: Floats) -> Floats:
    """(N, classes) answers to (N, 1, H, W) images."""
    return np.asarray((images.reshape(len(images), -1).astype(np.float32) / 255 - 0.5) @ last)


def query_set(count: int, last: Floats, seed: int) -> QuerySet:
    """A set that the classifier ``last`` answers like a thief, with controls and a calibration."""
    rng = np.random.default_rng(seed)
    images, shown = (rng.integers(0, 256, (n, 1, SIDE, SIDE), dtype=np.uint8) for n in (count, CONTROLS))
    labels, truth = (logits(each, last).argmax(axis=1).astype(np.int64) for each in (images, shown))
    classes = last.shape[1]
    models, scores = [], []
    groups: tuple[tuple[Group, float], ...] = (("thief", 0.9), ("independent", 0.15), ("twin", 0.4))
    for group, share in groups:
        for number, apart in enumerate(np.linspace(-0.05, 0.05, 20)):
            lineage = "source" if group == "thief" else f"{group}-{number}"
            models.append(CalibrationModel(f"{group}-{number}", group, "train", lineage))
            scores.append(count * (share + float(apart) - 0.5))
    look = Look(count, (1.0,) * count, -count / 2, tuple(scores))
    calibration = Calibration(tuple(models), (look,), Levels(), candidates=10 * count, folds=5)
    card = {"scheme": "naturalfinger", "threshold": 0.6, "num_classes": classes, "seed": seed, "versions": {}}
    controls = Controls(shown, truth, mean=(0.5,), std=(0.3,))
    return QuerySet(images, labels, (labels + 1) % classes, card, None, controls, calibration)


@contextmanager
def serving(last: Floats) -> Iterator[str]:
    """Address of a server, under which every model is the classifier ``last``."""
    takes = {"name": "images", "datatype": "FP32", "shape": [-1, 1, SIDE, SIDE]}
    gives = {"name": "logits", "datatype": "FP32", "shape": [-1, last.shape[1]]}
    described = {"name": "m", "platform": "any", "inputs": [takes], "outputs": [gives]}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # which keeps a connection open
        disable_nagle_algorithm = True  # head and body of an answer do not wait for each other

        def do_GET(self) -> None:
            self._reply(described)

        def do_POST(self) -> None:
            (tensor,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
            pixels = np.array(tensor["data"], np.float32).reshape(-1, SIDE * SIDE)
            given = (pixels - 0.5) @ last
            output = {"name": "logits", "datatype": "FP32", "shape": list(given.shape), "data": given.ravel().tolist()}
            self._reply({"model_name": "m", "outputs": [output]})

        def _reply(self, content: object) -> None:
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v2/models"
        finally:
            server.shutdown()
            thread.join()


def issue(run: Run, queries: QuerySet, number: int) -> IssuedSet:
    """Issue a set as ``refingerprint`` does, with error rates as of a zoo."""
    ledger = Ledger(run.layout.issued)
    queries.save(ledger.folder(queries.digest))
    counts = {"independent_accused": (1, 91), "trained_accused": (2, 15), "missed": (3, 63)}
    rates = {name: {"count": count, "total": total} for name, (count, total) in counts.items()}
    thieves = {"prune": {"suspects": 63, "accused": 60, "stolen": 50}}
    assert queries.calibration is not None
    facts = {"query_set": queries.digest, "threshold": 0.6, "calibration": queries.calibration.digest}
    metrics = {**facts, "verdicts": {**rates, "thieves": thieves}}
    write_sealed(ledger.folder(queries.digest) / METRICS_FILE, metrics)
    issued = IssuedSet(queries.digest, "naturalfinger", number, now())
    ledger.issue(issued)
    return issued


def watchlist(address: str, count: int) -> Watchlist:
    """So many suspects of which it is known how they take images."""
    shops = (WatchedSuspect(f"shop-{n}", address=f"{address}/{n}", input="unit") for n in range(count))
    return Watchlist(tuple(shops))


def held() -> int:
    """Bytes that this process holds."""
    return int(psutil.Process().memory_info().rss)


def a_year(folder: Path) -> dict[str, Any]:
    """Watch the same suspects for a year of weeks, with a new set every few."""
    run = Run.open("smoke", params=ROOT / "params.yaml", out=folder)
    last = weights(10, 0)
    asking, drawing, memory = [], [], []
    with serving(last) as address:
        watched = watchlist(address, WATCHED)
        for week in range(WEEKS):
            if week % WEEKS_A_SET == 0:
                issue(run, query_set(100, last, seed=week), week)
            started = time.perf_counter()
            for suspect in watched.suspects:
                watch_suspect(run, suspect, folder)
            asked = time.perf_counter()
            page = draw_watch(run, watched)
            asking.append(asked - started)
            drawing.append(time.perf_counter() - asked)
            memory.append(held())
        histories = [read_history(run.layout.watch / f"{each.name}.jsonl") for each in watched.suspects]
    return {
        "weeks": WEEKS,
        "suspects": WATCHED,
        "sets_issued": len(Ledger(run.layout.issued).sets()),
        "observations_a_suspect": sorted({len(history) for history in histories}),
        "outcomes": sorted({str(each.outcome) for history in histories for each in history}),
        "seconds_to_ask": {"first_four": _mean(asking[:4]), "last_four": _mean(asking[-4:])},
        "seconds_to_draw": {"first_four": _mean(drawing[:4]), "last_four": _mean(drawing[-4:])},
        "resident_bytes": {"after_4": memory[3], "after_all": memory[-1]},
        "bytes_of_the_page": page.stat().st_size,
    }


def many_watched(folder: Path) -> dict[str, Any]:
    """One run over a long watch list."""
    run = Run.open("smoke", params=ROOT / "params.yaml", out=folder)
    last = weights(10, 0)
    issue(run, query_set(100, last, seed=0), 0)
    spent, memory = [], []
    with serving(last) as address:
        watched = watchlist(address, MANY)
        for suspect in watched.suspects:
            started = time.perf_counter()
            watch_suspect(run, suspect, folder)
            spent.append(time.perf_counter() - started)
            memory.append(held())
        started = time.perf_counter()
        page = draw_watch(run, watched)
        drawing = time.perf_counter() - started
    tenth = MANY // 10
    return {
        "suspects": MANY,
        "seconds_each": {"first_tenth": _mean(spent[:tenth]), "last_tenth": _mean(spent[-tenth:])},
        "resident_bytes": {"after_a_tenth": memory[tenth - 1], "after_all": memory[-1]},
        "seconds_to_draw": round(drawing, 2),
        "bytes_of_the_page": page.stat().st_size,
    }


def ledgers(folder: Path) -> list[dict[str, Any]]:
    """Read ledgers of several sizes, and note something in each."""
    rows = []
    for count in LEDGERS:
        ledger = Ledger(folder / str(count))
        lines = [
            {
                "digest": f"{n:064x}",
                "scheme": "naturalfinger",
                "seed": n,
                "issued_at": now(),
                "seen_by": {"shop": now()},
            }
            | ({"burnt_at": now()} if n < count - 1 else {})
            for n in range(count)
        ]
        write_sealed(folder / str(count) / "ledger.json", {"sets": lines})
        started = time.perf_counter()
        assert len(ledger.sets()) == count
        read = time.perf_counter()
        ledger.show(f"{count - 1:064x}", "bank", now())
        noted = time.perf_counter()
        size = (folder / str(count) / "ledger.json").stat().st_size
        rows.append(
            {
                "sets": count,
                "seconds_to_read": round(read - started, 3),
                "seconds_to_note": round(noted - read, 3),
                "bytes": size,
            }
        )
    return rows


def one_suspect(folder: Path) -> list[dict[str, Any]]:
    """Ask one ONNX suspect about few and many queries of few and many classes."""
    rows = []
    for count, classes in SIZES:
        last = weights(classes, 0)
        queries = query_set(count, last, seed=0)
        path = folder / f"{classes}.onnx"
        _write(path, last)
        started = time.perf_counter()
        examined = examine(IsolatedSuspect(path, "logits"), queries)
        seconds = time.perf_counter() - started
        matching = float((examined.answers.labels == queries.labels).mean())
        rows.append(
            {
                "queries": count,
                "classes": classes,
                "seconds": round(seconds, 2),
                "matching": round(matching, 3),
                "resident_bytes": held(),
            }
        )
    return rows


def _write(path: Path, last: Floats) -> None:
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("Sub", ["flat", "half"], ["centred"]),
        helper.make_node("MatMul", ["centred", "last"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 1, SIDE, SIDE])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", last.shape[1]])]
    constants = [numpy_helper.from_array(last, "last"), numpy_helper.from_array(np.array(0.5, np.float32), "half")]
    graph = helper.make_graph(nodes, "noise", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def _mean(seconds: list[float]) -> float:
    return round(sum(seconds) / len(seconds), 3)


def main() -> None:
    """Measure all and write the record."""
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / name for name in ("year", "many", "ledgers", "one")]
        for folder in folders:
            folder.mkdir()
        record = {
            "what": "time and memory of watching, ledgers and asking, from the sizes of a first week to those of years",
            "year": a_year(folders[0]),
            "many_watched": many_watched(folders[1]),
            "ledgers": ledgers(folders[2]),
            "one_suspect": one_suspect(folders[3]),
            "resident_bytes_of_the_largest_process_of_a_suspect": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            << 10,
            "load_average_at_the_end": os.getloadavg()[1],
            "machine": machine(),
            "versions": versions(),
            "commit": git_commit(ROOT),
        }
    write_json(ROOT / "results" / "load.json", record)


if __name__ == "__main__":
    main()
