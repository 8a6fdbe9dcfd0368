"""From one machine to a thousand source models, simulated: ``python -m benchmarks.scaling``.

Writes ``results/scaling.json`` and the tables of ``docs/scaling.md``. ``--store FILE --zoo FOLDER`` first reads how
long each model took from a run's Prefect store (SQLite), and its size, into ``results/zoo-seconds.json``.
"""

import argparse
import heapq
import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nf.core.config import load_profile
from nf.core.files import read_json, write_json
from nf.core.lineage import Lineage
from nf.core.paths import WEIGHTS_FILE
from nf.zoo import fingerbench
from tools.results.architectures import measure as count

ROOT = Path(__file__).resolve().parent.parent
PAGE, MEASURED, RECORD = ROOT / "docs/scaling.md", ROOT / "results/zoo-seconds.json", ROOT / "results/scaling.json"
WORKERS = (1, 2, 8, 32, 128, 512)
TASK_SECONDS = 0.14  # per task through Prefect on Dask, measured with two workers; taken to pass one process in turn
BUDGET = ROOT / "results/budget-cifar10.json"  # what each model costs, by benchmarks/macs.py
GPU_SHARE = 0.1  # of a matrix product's speed: what a dozen processes reached on one H100 (results/h100.json)
SOURCES = 1000


@dataclass(frozen=True)
class Work:
    """One task: the ``seconds`` that it keeps a worker busy, and the task that has to end before it, if any."""

    seconds: float
    after: str | None = None


def makespan(tasks: Mapping[str, Work], workers: int, *, dispatch: float = 0.0) -> float:
    """Seconds until all ``tasks`` are done.

    A task that is ready goes to a free worker; of several, the one that is listed first. No task is taken back.

    Args:
        tasks: by name; a task is listed after the one that it waits for.
        workers: how many, at least 1.
        dispatch: seconds for which the one dispatcher is busy with each task, one after another.

    Raises:
        ValueError: there are no workers, or a task waits for one that is not listed before it.
    """
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    order = {name: number for number, name in enumerate(tasks)}
    children: dict[str, list[str]] = {name: [] for name in tasks}
    ready: list[tuple[int, str]] = []
    for name, work in tasks.items():
        if work.after is None:
            ready.append((order[name], name))
        elif order.get(work.after, len(order)) >= order[name]:
            raise ValueError(f"{name!r}: expected {work.after!r} before it, which it waits for")
        else:
            children[work.after].append(name)
    now = dispatched = 0.0
    running: list[tuple[float, str]] = []
    while ready or running:
        while ready and len(running) < workers:
            name = heapq.heappop(ready)[1]
            dispatched = max(now, dispatched) + dispatch
            heapq.heappush(running, (dispatched + tasks[name].seconds, name))
        now, ended = heapq.heappop(running)
        for child in children[ended]:
            heapq.heappush(ready, (order[child], child))
    return now


def critical_path(tasks: Mapping[str, Work]) -> float:
    """Seconds of the longest chain of tasks that wait for one another: no number of workers is faster."""
    ends: dict[str, float] = {}
    for name, work in tasks.items():
        ends[name] = work.seconds + (ends[work.after] if work.after is not None else 0.0)
    return max(ends.values(), default=0.0)


def measure(store: Path, zoo: Path, note: str) -> None:
    """Write down each model's seconds, as its task took them, and its bytes."""
    query = (
        "select name, (julianday(end_time) - julianday(start_time)) * 86400 from task_run "
        "where task_key like 'build-%' and state_type = 'COMPLETED'"
    )
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        seconds = {name: round(value, 2) for name, value in connection.execute(query)}
        total = (
            "select max(julianday(end_time)) - min(julianday(start_time)) from task_run where task_key like 'build-%'"
        )
        wall = connection.execute(total).fetchone()[0] * 86400
    sizes = {name: (zoo / name / WEIGHTS_FILE).stat().st_size for name in seconds}
    what = "seconds and bytes of every model of the digits zoo, two worker processes, CPU"
    write_json(
        MEASURED, {"what": what, "note": note, "wall": round(wall, 1), "seconds": seconds, "bytes": sizes, "n": 1}
    )


def simulate() -> dict[str, Any]:
    """Both profiles over every number of workers."""
    measured = read_json(MEASURED)
    lineages = {
        name: fingerbench(load_profile(ROOT / "params.yaml", name).zoo).trained() for name in ("digits", "cifar10")
    }
    tasks = {
        "digits": _tasks(lineages["digits"], measured["seconds"]),
        "cifar10": _tasks(lineages["cifar10"], _gpu_seconds(read_json(BUDGET))),
    }
    return {
        "what": "simulated seconds of one zoo over N workers",
        "task_seconds": TASK_SECONDS,
        "gpu_share": GPU_SHARE,
        "check": {"measured": measured["wall"], "simulated": round(makespan(tasks["digits"], 2), 1)},
        "zoos": {
            name: {
                "models": len(work),
                "sum": round(sum(task.seconds for task in work.values()), 1),
                "critical_path": round(critical_path(work), 1),
                "seconds": {str(n): round(makespan(work, n, dispatch=TASK_SECONDS), 1) for n in WORKERS},
            }
            for name, work in tasks.items()
        },
        "bytes": {"digits": sum(measured["bytes"].values()), "cifar10": _full_width_bytes(lineages["cifar10"])},
        # A task reads its parent's weights, if it has one, and writes its own.
        "parent_bytes": sum(measured["bytes"][s.parent] for s in lineages["digits"].specs if s.parent is not None),
    }


def _gpu_seconds(budget: Mapping[str, Any]) -> dict[str, float]:
    """Of each model: its arithmetic at ``GPU_SHARE`` of the budget's speed, or its traffic layer by layer if longer."""
    device = budget["machine"]
    speed = GPU_SHARE * 1e12 * device["tflops"]
    rate = 1e12 * device["terabytes_per_second"] / device["bytes_per_number"]
    models = budget["zoo"]["models"].items()
    return {name: max(2 * model["macs"] / speed, model["step_numbers"] / rate) for name, model in models}


def _tasks(lineage: Lineage, seconds: Mapping[str, float]) -> dict[str, Work]:
    return {spec.id: Work(seconds[spec.id], spec.parent) for spec in lineage.specs}


def _full_width_bytes(lineage: Lineage) -> int:
    """Two bytes a parameter, as the profile stores them, counted on the networks."""
    parameters = {name: count(name)[0] for name in {spec.architecture for spec in lineage.specs}}
    return sum(2 * parameters[spec.architecture] for spec in lineage.specs)


def table(record: Mapping[str, Any]) -> str:
    """One line per number of workers, then storage and traffic."""
    zoos = record["zoos"]
    lines = [
        "| workers | digits zoo on CPU cores (measured seconds), minutes | models an hour "
        f"| CIFAR-10 zoo on H100s (calculated), minutes | models an hour | {SOURCES:,} CIFAR-10 zoos, days |",
        "|---|---|---|---|---|---|",
    ]
    for workers in map(str, WORKERS):
        cells = []
        for zoo in (zoos["digits"], zoos["cifar10"]):
            seconds = zoo["seconds"][workers]
            cells += [f"{seconds / 60:.1f}", f"{zoo['models'] / seconds * 3600:,.0f}"]
        busy = max(zoos["cifar10"]["sum"] / int(workers), zoos["cifar10"]["models"] * TASK_SECONDS)
        lines.append(f"| {workers} | {' | '.join(cells)} | {SOURCES * busy / 86400:,.1f} |")
    sizes = {name: size / 1e9 for name, size in record["bytes"].items()}
    models = zoos["cifar10"]["models"]
    return "\n".join(
        [
            *lines,
            "",
            f"{models} models each. Longest chain: {zoos['digits']['critical_path']:.0f} s on digits, "
            f"{zoos['cifar10']['critical_path']:.0f} s on CIFAR-10.\nSimulated with two workers and no overhead, the "
            f"digits zoo takes {record['check']['simulated']:.0f} s; the run that its seconds are from took "
            f"{record['check']['measured']:.0f} s.",
            "",
            "| | digits (measured) | CIFAR-10 (2 bytes a parameter) |",
            "|---|---|---|",
            f"| weights of one zoo, GB | {sizes['digits']:.2f} | {sizes['cifar10']:.1f} |",
            f"| weights of {SOURCES:,} zoos, TB | {sizes['digits'] * SOURCES / 1e3:.2f} "
            f"| {sizes['cifar10'] * SOURCES / 1e3:.1f} |",
            f"| parents' weights read for one zoo, GB | {record['parent_bytes'] / 1e9:.2f} | not counted |",
            f"| written by 128 workers, MB/s | {_rate(record, 'digits'):.1f} | {_rate(record, 'cifar10'):.1f} |",
            "",
            f"On an H100 training is taken to reach {record['gpu_share']:.0%} of a matrix product's speed.",
        ]
    )


def _rate(record: Mapping[str, Any], name: str) -> float:
    return float(record["bytes"][name] / 1e6 / record["zoos"][name]["seconds"]["128"])


def rendered(text: str, record: Mapping[str, Any]) -> str:
    """``text`` with the table between its markers as the record says."""
    start, end = "<!-- results:scaling -->", "<!-- /results:scaling -->"
    return re.sub(f"{start}.*?{end}", lambda _: f"{start}\n{table(record)}\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="Prefect's SQLite file of a run of the digits zoo.")
    parser.add_argument("--zoo", type=Path, help="That run's zoo.")
    parser.add_argument("--note", default="", help="What is particular about that run.")
    arguments = parser.parse_args()
    if arguments.store:
        measure(arguments.store, arguments.zoo, arguments.note)
    write_json(RECORD, simulate())
    PAGE.write_text(rendered(PAGE.read_text(), json.loads(RECORD.read_text())))
