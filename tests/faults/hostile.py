"""Mutants of real files of suspects, and what comes of asking them.

``python -m tests.faults.hostile --count 10000`` goes on where the record was left. Mutants have numbers, and the seed
and the number say what a mutant is. Each is asked as ``nf verify`` asks a file, by ``IsolatedSuspect`` and its child,
but for one thing: the child is forked from a process that has imported the runtimes, which saves a second each time.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import onnx
import onnx.parser

from nf.core.controls import Controls
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.files import read_json, write_json
from nf.core.seeds import derive_seed
from nf.stages.provenance import git_commit, machine, versions
from nf.suspects import IsolatedSuspect, child
from tests.faults.mutations import BOMBS, mutate

RECORD = Path(__file__).parents[2] / "results" / "hostile.json"
BATCH = 100
TIMEOUT = 10.0
SHOWN = 20  # of what should not have been

_rng = np.random.default_rng(0)
WEIGHTS = _rng.normal(size=(16, 3)).astype(np.float32)
FILTERS = _rng.normal(size=(4, 1, 3, 3)).astype(np.float32)
_images = _rng.integers(0, 256, (48, 1, 4, 4), dtype=np.uint8)
# A file that is harmless is found to answer with sense, so that what comes after that is reached, too.
CONTROLS = Controls(_images, (_images.reshape(48, -1) / 255 @ WEIGHTS).argmax(axis=1), ("ant", "bee", "cat"))

_FLAT = "flat = Flatten (images)"
_TEXTS = {
    "onnx": f"{_FLAT} logits = MatMul (flat, w)",
    "onnx, convolution": """pads = Conv <pads = [1, 1, 1, 1]> (images, f) active = Relu (pads)
        mean = ReduceMean <keepdims = 1> (active, axis) flat = Flatten (mean) logits = MatMul (flat, w)""",
    "onnx, If": f"""{_FLAT} sum = ReduceSum <keepdims = 0> (images) zero = Constant <value_float = 0.0> ()
        bright = Greater (sum, zero)
        logits = If (bright) <
            then_branch = then () => (float[N,3] a) {{ a = MatMul (flat, w) }},
            else_branch = other () => (float[N,3] b) {{ minus = Neg (flat) b = MatMul (minus, w) }}>""",
}
_HEAD = '<ir_version: 10, opset_import: ["": 20, "ai.onnx.ml": 3]>'


def _onnx(name: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f"{_HEAD}net (float[N,1,4,4] images) => (float[N,3] logits) {{ {_TEXTS[name]} }}")
    weights = {"w": WEIGHTS, "f": FILTERS, "axis": np.array([1], np.int64)}
    used = {each for node in model.graph.node for each in node.input}
    used |= {each for node in model.graph.node for a in node.attribute for inner in a.g.node for each in inner.input}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(weights[n], n) for n in weights if n in used)
    return model


def _strings() -> onnx.ModelProto:
    text = f"{_HEAD}net (float[N,1,4,4] images) => (string[N] label) {{ {_FLAT} scores = MatMul (flat, w) "
    text += "best = ArgMax <axis = 1, keepdims = 0> (scores) label = ai.onnx.ml.LabelEncoder <keys_int64s = [0, 1, 2], "
    model = onnx.parser.parse_model(text + 'values_strings = ["ant", "bee", "cat"]> (best) }')
    model.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHTS, "w"))
    return model


def _beside() -> dict[str, bytes]:
    model = _onnx("onnx")
    (weights,) = model.graph.initializer
    data = weights.raw_data
    onnx.external_data_helper.set_external_data(weights, "suspect.bin", offset=0, length=len(data))
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    return {"suspect.onnx": model.SerializeToString(), "suspect.bin": data}


def _openvino() -> dict[str, bytes]:
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "model.onnx").write_bytes(_onnx("onnx").SerializeToString())
        openvino.serialize(openvino.Core().read_model(place / "model.onnx"), place / "s.xml", place / "s.bin")
        return {"suspect.xml": (place / "s.xml").read_bytes(), "suspect.bin": (place / "s.bin").read_bytes()}


def _tflite(quantised: bool) -> dict[str, bytes]:
    from tests.suspects.tflite_files import linear

    return {"suspect.tflite": linear(WEIGHTS, quantised=quantised)}


KINDS: dict[str, Callable[[], dict[str, bytes]]] = {
    **{name: lambda name=name: {"suspect.onnx": _onnx(name).SerializeToString()} for name in _TEXTS},
    "onnx, strings": lambda: {"suspect.onnx": _strings().SerializeToString()},
    "onnx, weights beside": _beside,
    "tflite": lambda: _tflite(quantised=False),
    "tflite, bytes": lambda: _tflite(quantised=True),
    "openvino": _openvino,
}
"""Real files by kind; the first of each is the one that is named."""


@dataclass(frozen=True)
class Forked(IsolatedSuspect):
    """An isolated suspect whose process is a copy of this one, which has imported the runtimes.

    Attributes:
        used: memory in bytes and seconds of each process.
        said: what each wrote to standard error.
    """

    used: list[tuple[int, float]] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)

    def _run(self, sent: bytes, empty: str, stdout: IO[bytes], stderr: IO[bytes]) -> int:
        with tempfile.TemporaryFile() as given:
            given.write(sent)
            given.seek(0)
            started = time.monotonic()
            process = os.fork()
            if process == 0:
                self._become_the_child(empty, given, stdout, stderr)
            ended, status, usage = 0, 0, None
            while not ended and time.monotonic() < started + self.timeout_seconds:
                ended, status, usage = os.wait4(process, os.WNOHANG)
                time.sleep(0 if ended else 0.002)
            if not ended:
                os.kill(process, signal.SIGKILL)
                _, status, usage = os.wait4(process, 0)
        self.used.append((usage.ru_maxrss * 1024, time.monotonic() - started))
        stderr.seek(0)
        self.said.append(stderr.read())
        if not ended:
            raise subprocess.TimeoutExpired("child", self.timeout_seconds)
        return os.waitstatus_to_exitcode(status)

    def _limit_here(self) -> int:
        """The limit, where what this process has imported leaves enough of it, as a fresh process's libraries do."""
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return max(self.memory_limit, pages * resource.getpagesize() + 3 * self.memory_limit // 4)

    def _become_the_child(self, empty: str, given: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        status = 1
        try:
            os.chdir(empty)
            for number, file in enumerate((given, stdout, stderr)):
                os.dup2(file.fileno(), number)
            sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode) for n, mode in enumerate(("r", "w", "w")))
            status = child.main(self.path.resolve(), self._limit_here(), self.cpu_seconds)
            sys.stderr.flush()
        except BaseException:  # as Python itself would end, had the process been started afresh
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)


@dataclass(frozen=True)
class Asked:
    """What came of one mutant.

    Attributes:
        outcome: in two words.
        message: what was said of it.
        memory: peak of the child in bytes, what it shares with its parent included.
        seconds: wall clock of the child.
        traceback: of the child or of the parent, which is a fault of ours; empty if there was none.
    """

    outcome: str
    message: str
    memory: int
    seconds: float
    traceback: str


def ask(path: Path, number: int) -> Asked:
    """Ask the file at ``path`` for what ``nf verify`` asks: how it wants to be asked, every third for answers."""
    suspect, message, trace = Forked(path, "logits", TIMEOUT), "", ""
    try:
        if number % 3:
            suspect.find(CONTROLS, 3)
        else:
            suspect(CONTROLS.images)
        outcome = "answered"
    except NoVerdictError as error:
        outcome, message = "no verdict", str(error)
    except SuspectError as error:
        outcome, message = "refused", str(error)
        if "expected answers within" in message:
            outcome = "late"
        elif "process ended with status" in message:
            outcome = "crashed"
    except Exception as error:
        outcome, message = "traceback", repr(error)
    for said in suspect.said:
        if b"Traceback" in said:
            trace = said.decode(errors="replace")[-2000:]
    memory, seconds = max(suspect.used, default=(0, 0.0))
    return Asked("traceback" if trace else outcome, message, memory, seconds, trace)


def make(kind: str, seed: int, number: int, folder: Path) -> tuple[Path, str]:
    """Write mutant ``number`` of ``kind`` into ``folder``; the file that is named, and what was done to it."""
    rng = np.random.default_rng(derive_seed(seed, "hostile", kind, number))
    files = KINDS[kind]()
    named = next(iter(files))
    mutated, what = mutate(rng, files, named)
    for name, data in mutated.items():
        (folder / name).write_bytes(data)
    return folder / named, what


def run(count: int, seed: int, record: Path, *, kinds: tuple[str, ...] = tuple(KINDS)) -> dict[str, Any]:
    """Ask mutants until ``count`` of them are in the ``record``, which is written after every batch."""
    found: dict[str, Any] = read_json(record) if record.exists() else {}
    if found.get("seed") != seed:
        found = {"seed": seed, "mutants": 0, "outcomes": {}, "by_kind": {}, "by_mutation": {}, "faults": []}
        found |= {"peak_mebibytes": 0, "peak_of": None, "slowest_seconds": 0, "slowest_of": None, "seconds": 0}
    import onnxruntime  # noqa: F401
    import openvino  # noqa: F401 - before the fork
    from ai_edge_litert import interpreter  # noqa: F401

    outcomes, mutations = Counter(found["outcomes"]), Counter(found["by_mutation"])
    by_kind = {name: Counter(found["by_kind"].get(name, {})) for name in kinds}
    while found["mutants"] < count:
        started = time.monotonic()
        for number in range(found["mutants"], min(count, found["mutants"] + BATCH)):
            kind = kinds[number % len(kinds)]
            with tempfile.TemporaryDirectory() as folder:
                path, what = make(kind, seed, number, Path(folder))
                before = sorted((each.name, each.stat().st_mtime_ns) for each in Path(folder).iterdir())
                asked = ask(path, number)
                after = sorted((each.name, each.stat().st_mtime_ns) for each in Path(folder).iterdir())
            outcomes[asked.outcome] += 1
            by_kind[kind][asked.outcome] += 1
            mutations[what] += 1
            name = f"{number}: {kind}, {what}"
            if asked.outcome == "traceback" or before != after:
                found["faults"] = [*found["faults"], {"mutant": name, "said": asked.traceback or asked.message}][:SHOWN]
            if asked.memory / 2**20 > found["peak_mebibytes"]:
                found |= {"peak_mebibytes": round(asked.memory / 2**20), "peak_of": name}
            if asked.seconds > found["slowest_seconds"]:
                found |= {"slowest_seconds": round(asked.seconds, 1), "slowest_of": name}
            found["mutants"] = number + 1
        found |= {
            "what": "mutants of files of suspects, asked as `nf verify` asks them; bombs are mutations, too",
            "outcomes": dict(outcomes),
            "by_kind": {name: dict(counts) for name, counts in by_kind.items()},
            "by_mutation": dict(mutations),
            "seconds": round(found["seconds"] + time.monotonic() - started),
            "timeout_seconds": TIMEOUT,
            "parent_mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "commit": git_commit(),
            "machine": machine(),
            "versions": versions(),
        }
        write_json(record, found)
        sys.stdout.write(f"{found['mutants']} {found['outcomes']}\n")
        sys.stdout.flush()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, default=RECORD)
    options = parser.parse_args()
    assert BOMBS
    sys.exit(bool(run(options.count, options.seed, options.record)["faults"]))
