"""The parts of ``benchmarks/gpu.py`` in their order: what each is called, whether it is there, and how to make it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nf.detection.artifacts import CARD_FILE
from nf.stages import load_stage
from nf.stages.export import COPIES_FILE
from nf.stages.fingerprint import has_query_set
from nf.stages.gan import QUALITY_FILE
from nf.stages.run import Run
from nf.stages.zoo import SUMMARY_FILE, build_models, missing_models, plan_zoo, summarise_zoo


class OutOfTimeError(Exception):
    """Raised between two steps of the work once the budget is spent."""


@dataclass(frozen=True)
class Part:
    """One step of the run.

    Attributes:
        name: what it is called in the record.
        item: the scheme, GAN or variant that it is about, if any.
        done: whether it is there.
        make: makes it.
        asks_all: it asks every suspect, so that it waits for the whole zoo.
    """

    name: str
    item: str
    done: Callable[[], bool]
    make: Callable[[], object]
    asks_all: bool = False


def parts(
    run: Run, schemes: list[str], gan: str, variants: list[str], zoo_seconds: Callable[[], float]
) -> Iterator[Part]:
    """All parts, each after those whose files it reads."""
    layout = run.layout
    images, exported = layout.data / "card.json", layout.onnx / COPIES_FILE
    yield Part("prepare", "", images.exists, partial(load_stage("prepare"), run))
    yield Part("zoo", "", partial(_zoo_is_whole, run), partial(_build_zoo, run, zoo_seconds))
    quality = layout.gan(gan) / QUALITY_FILE
    yield Part(f"gan@{gan}", gan, partial(newer, quality, images), partial(load_stage("gan"), run, gan))
    for name in schemes:
        made = partial(has_query_set, run, name)
        yield Part(f"fingerprint@{name}", name, made, partial(load_stage("fingerprint"), run, name))
    whole = partial(newer, exported, layout.zoo / SUMMARY_FILE)
    yield Part("export", "", whole, partial(load_stage("export"), run), asks_all=True)
    for name in schemes:
        queries, scores = layout.fingerprint(name) / "card.json", layout.scores(name)
        asked = partial(newer, scores, queries, exported)
        yield Part(f"verify@{name}", name, asked, partial(load_stage("verify"), run, name), asks_all=True)
        measured = partial(newer, layout.metrics(name), scores)
        yield Part(f"evaluate@{name}", name, measured, partial(load_stage("evaluate"), run, name), asks_all=True)
    detectors = layout.detectors / CARD_FILE
    trained = partial(newer, detectors, quality)
    yield Part("detectors", gan, trained, partial(load_stage("detectors"), run, gan))
    for name in schemes:
        judged = partial(newer, layout.detection(name), layout.fingerprint(name) / "card.json", detectors)
        yield Part(f"detect@{name}", name, judged, partial(load_stage("detect"), run, name))
    for name in variants:
        known = partial(newer, layout.variant(name, 0), exported)
        yield Part(f"variant@{name}", name, known, partial(load_stage("variant"), run, f"{name}/0"), asks_all=True)


def newer(written: Path, *sources: Path) -> bool:
    """Whether ``written`` is there and no older than any of its ``sources``."""
    return written.exists() and all(
        source.exists() and source.stat().st_mtime <= written.stat().st_mtime for source in sources
    )


def _zoo_is_whole(run: Run) -> bool:
    return (run.layout.zoo / SUMMARY_FILE).exists() and not missing_models(run, plan_zoo(run))


def _build_zoo(run: Run, zoo_seconds: Callable[[], float]) -> None:
    plan = plan_zoo(run)
    if build_models(run, plan, missing_models(run, plan), max_seconds=zoo_seconds()):
        raise OutOfTimeError
    summarise_zoo(run, plan)
