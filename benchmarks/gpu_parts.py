"""The parts of ``benchmarks/gpu.py`` in their order: what each is called, whether it is there, and how to make it.

What a GPU computes is made one part after another. What only processors compute, exporting and asking suspects, is made
beside it in another process: the GPU neither stands idle meanwhile nor waits for Python.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ledger import WHOLE, Ledger

from nf.core.errors import NFError
from nf.core.files import read_json, sha256_json, write_json
from nf.core.paths import CARD_FILE, COPIES_FILE, QUALITY_FILE, SUMMARY_FILE
from nf.core.processes import worker_pool
from nf.core.variants import VariantId
from nf.stages import load_stage
from nf.stages.fingerprint import has_query_set
from nf.stages.run import Run, silent
from nf.stages.variant import VariantQueries, ask_variant, make_variant
from nf.stages.zoo import build_models, missing_models, plan_zoo, summarise_zoo

OUT_OF_TIME = "out of time"


class OutOfTimeError(Exception):
    """Raised between two steps of the work once the budget is spent."""


class Budget:
    """Seconds from now on."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._deadline = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; below zero once they are spent."""
        return self._deadline - time.monotonic()

    @contextmanager
    def ended_by_errors(self) -> Iterator[None]:
        """An exception within spends what is left, so that no further part is begun."""
        try:
            yield
        except BaseException:
            self._deadline = -math.inf
            raise


@dataclass(frozen=True)
class Part:
    """One step of the run.

    Attributes:
        name: what it is called in the record.
        done: whether it is there.
        make: makes it; a picklable call where it is made beside others.
        needs: names of the parts without which it cannot be made.
        beside: no GPU computes it, so that it is made beside those that come after it, and to its end.
        settings: that it depends on and ``done`` does not look at; with others than before it is made again.
    """

    name: str
    done: Callable[[], bool]
    make: Callable[[], object]
    needs: tuple[str, ...] = ()
    beside: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def parts(
    run: Run, budget: Budget, schemes: list[str], gan: str, variants: list[str], zoo_seconds: float = math.inf
) -> list[Part]:
    """All parts, each after those that it needs and those whose files it reads."""
    layout, profile, aside = run.layout, run.profile, replace(run, progress=silent)
    drawn = {"seed": profile.seed, "gan": profile.gans.get(gan)}
    images, quality = layout.data / CARD_FILE, layout.gan(gan) / QUALITY_FILE
    exported, detectors = layout.onnx / COPIES_FILE, layout.detectors / CARD_FILE
    whole = partial(newer, exported, layout.zoo / SUMMARY_FILE)
    trained = partial(newer, detectors, quality)
    return [
        Part(
            "prepare",
            images.exists,
            partial(load_stage("prepare"), run),
            settings={"seed": profile.seed, "data": asdict(profile.data)},
        ),
        Part("zoo", partial(_zoo_is_whole, run), partial(_build_zoo, run, budget, zoo_seconds)),
        Part("export", whole, partial(load_stage("export"), aside), needs=("zoo",), beside=True),
        Part(f"gan@{gan}", partial(newer, quality, images), partial(load_stage("gan"), run, gan), settings=drawn),
        *(part for name in schemes for part in _scheme(run, aside, name, exported)),
        Part(
            "detectors",
            trained,
            partial(load_stage("detectors"), run, gan),
            needs=(f"gan@{gan}",),
            settings=drawn | {"detection": profile.detection},
        ),
        *(_detection(run, name, detectors) for name in schemes),
        *(part for name in variants for part in _variant(run, aside, name, exported)),
    ]


def _scheme(run: Run, aside: Run, name: str, exported: Path) -> Iterator[Part]:
    layout = run.layout
    queries, scores = layout.fingerprint(name) / CARD_FILE, layout.scores(name)
    made, asked, measured = (f"{stage}@{name}" for stage in ("fingerprint", "score", "evaluate"))
    yield Part(made, partial(has_query_set, run, name), partial(load_stage("fingerprint"), run, name))
    is_asked, ask = partial(newer, scores, queries, exported), partial(load_stage("score"), aside, name)
    yield Part(asked, is_asked, ask, needs=(made, "export"), beside=True)
    is_measured, measure = partial(newer, layout.metrics(name), scores), partial(load_stage("evaluate"), aside, name)
    settings = {"seed": run.profile.seed, "evaluation": asdict(run.profile.evaluation)}
    yield Part(measured, is_measured, measure, needs=(asked,), beside=True, settings=settings)


def _detection(run: Run, name: str, detectors: Path) -> Part:
    queries = run.layout.fingerprint(name) / CARD_FILE
    judged = partial(newer, run.layout.detection(name), queries, detectors)
    needs = (f"fingerprint@{name}", "detectors")
    settings = {"seed": run.profile.seed, "detection": run.profile.detection}
    return Part(f"detect@{name}", judged, partial(load_stage("detect"), run, name), needs, settings=settings)


def _variant(run: Run, aside: Run, name: str, exported: Path) -> Iterator[Part]:
    """Its query set and the answers to it; the first is kept in memory for the second, which is pickled with it."""
    metrics, summary, profile = run.layout.variant(VariantId(name, 0)), run.layout.zoo / SUMMARY_FILE, run.profile
    settings = {
        "seed": profile.seed,
        "evaluation": asdict(profile.evaluation),
        "schemes": profile.schemes,
        "variants": asdict(profile.variants),
    }
    made: list[VariantQueries] = []

    def known() -> bool:  # where files are still to be exported, queries are to be made again, too
        return newer(exported, summary) and newer(metrics, exported)

    def make() -> None:
        metrics.unlink(missing_ok=True)
        made.append(make_variant(run, VariantId(name, 0)))

    yield Part(f"variant@{name}", known, make, needs=("zoo",), settings=settings)
    asking, needs = partial(_ask_variant, aside, made), (f"variant@{name}", "export")
    yield Part(f"ask-variant@{name}", metrics.exists, asking, needs, beside=True)


def _ask_variant(run: Run, made: list[VariantQueries]) -> None:
    ask_variant(run, made[-1])


def newer(written: Path, *sources: Path) -> bool:
    """Whether ``written`` is there and no older than any of its ``sources``."""
    return written.exists() and all(
        source.exists() and source.stat().st_mtime <= written.stat().st_mtime for source in sources
    )


def _zoo_is_whole(run: Run) -> bool:
    return (run.layout.zoo / SUMMARY_FILE).exists() and not missing_models(run, plan_zoo(run))


def _build_zoo(run: Run, budget: Budget, seconds: float) -> None:
    plan = plan_zoo(run)
    if build_models(run, plan, missing_models(run, plan), max_seconds=min(budget.left(), seconds)):
        raise OutOfTimeError
    summarise_zoo(run, plan)


class _Aside:
    """One other process at a time. It makes what no GPU computes."""

    def __init__(self) -> None:
        self._pool = worker_pool(1, torch.set_num_threads, 1)

    def make(self, part: Part) -> None:
        """Make ``part`` in it; after its death the next part has a new one.

        Raises:
            BrokenProcessPool: it died.
        """
        try:
            self._pool.submit(part.make).result()
        except BrokenProcessPool:
            self._pool = worker_pool(1, torch.set_num_threads, 1)
            raise

    def close(self) -> None:
        """End it."""
        self._pool.shutdown()


class _Kept:
    """With which settings each part was made, in a file beside the artifacts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hashes: dict[str, str] = read_json(path) if path.exists() else {}
        self._lock = threading.Lock()

    def fits(self, part: Part) -> bool:
        """Whether ``part`` was made with its settings."""
        return not part.settings or self._hashes.get(part.name) == sha256_json(dict(part.settings))

    def note(self, part: Part) -> None:
        """Note that it was, where it has any."""
        if not part.settings:
            return
        with self._lock:
            self._hashes[part.name] = sha256_json(dict(part.settings))
            write_json(self._path, self._hashes)


def work(run: Run, todo: list[Part], budget: Budget, ledger: Ledger) -> dict[str, str]:
    """Make what is not there of ``todo``; returns why parts are missing. What fails holds up those alone that need it.

    An error of another kind than ``NFError``, or Ctrl-C, is raised; no further part is begun then.
    """
    reasons: dict[str, Future[str | None]] = {}
    kept = _Kept(run.layout.root / "made-with.json")

    def outcome(part: Part) -> str | None:
        with budget.ended_by_errors():
            held_up = next((reason for name in part.needs if (reason := reasons[name].result())), None)
            return held_up or _attempt(run, part, aside, budget, ledger, kept)

    with closing(_Aside()) as aside, ThreadPoolExecutor(1) as beside, ledger.entry(WHOLE), budget.ended_by_errors():
        for part in todo:
            reasons[part.name] = beside.submit(outcome, part) if part.beside else _finished(outcome(part))
        found = {name: reason.result() for name, reason in reasons.items()}
    return {name: reason for name, reason in found.items() if reason}


def _finished(reason: str | None) -> Future[str | None]:
    future: Future[str | None] = Future()
    future.set_result(reason)
    return future


def _attempt(run: Run, part: Part, aside: _Aside, budget: Budget, ledger: Ledger, kept: _Kept) -> str | None:
    """Make one part unless it is there; returns what kept it from being made."""
    try:
        if part.done() and kept.fits(part):
            return None
        if budget.left() <= 0:
            return OUT_OF_TIME
        print(f"{part.name}\n", end="", flush=True)  # whole lines, also where two are written at once
        with ledger.entry(part.name), run.stage(part.name):
            aside.make(part) if part.beside else part.make()
        kept.note(part)
    except OutOfTimeError:
        return OUT_OF_TIME
    except BrokenProcessPool:
        return "the process in which it was made died; it may have been short of memory"
    except NFError as error:
        return str(error)
    return None
