"""Stage ``zoo``: the source, everything stolen from it, everything honest, and the training models."""

import logging
import math
import threading
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray

from nf.core.answer_memory import AnswerMemory
from nf.core.answers import Answers
from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import read_json, take_away, write_sealed
from nf.core.lineage import MAKING_POOLS, SOURCE_ID
from nf.core.paths import CARD_FILE, SUMMARY_FILE
from nf.models import AnsweringClassifier, Classifier, load_model, predict, resolve_device
from nf.stages.own_model import ask_black_box, memory_of, own_digest
from nf.stages.run import Run
from nf.zoo import (
    PIECE_BYTES,
    ModelBuilder,
    OpenSource,
    Packed,
    Unpacked,
    ZooPlan,
    ZooWorkers,
    check_attacks,
    is_built,
    pack_models,
    remove_unlisted,
    unpack_models,
)

_logger = logging.getLogger(__name__)

_BATCH = 64  # images that the owner's model answers at once, which may be large


def plan_zoo(run: Run) -> ZooPlan:
    """The zoo of the profile on the prepared data.

    Raises:
        ArtifactError: the data is not prepared.
    """
    return ZooPlan(run.profile, read_json(run.layout.data / CARD_FILE, advice="run `nf prepare`"))


def missing_models(run: Run, plan: ZooPlan) -> list[str]:
    """Ids still to be built, parents first.

    Models that query sets are made from come before the suspects, so that an unfinished zoo can be used: training
    models, then those of calibration.
    """
    turns: dict[str, int] = {}
    for turn, pool in enumerate(MAKING_POOLS):
        for spec in plan.lineage.select(pool=pool):
            for needed in (spec, *plan.lineage.ancestors(spec.id)):
                turns.setdefault(needed.id, turn)
    missing = [spec.id for spec in plan.lineage.specs if not is_built(plan, spec.id, run.layout.zoo)]
    return sorted(missing, key=lambda model_id: turns.get(model_id, len(MAKING_POOLS)))


def begin_zoo(run: Run) -> tuple[ZooPlan, list[str]]:
    """The zoo of the profile and the ids still to be built, parents first; models that it no longer lists are deleted.

    Where some are to be built, so is the summary: whatever ends the building leaves the zoo partial.

    Raises:
        ArtifactError: the data is not prepared.
    """
    plan = plan_zoo(run)
    remove_unlisted(plan, run.layout.zoo)
    missing = missing_models(run, plan)
    if missing:
        take_away(run.layout.zoo / SUMMARY_FILE)
    return plan, missing


def open_workers(run: Run, plan: ZooPlan) -> ZooWorkers:
    """The processes that build models, as many as the profile says, on the device that it says.

    Raises:
        ConfigError: there is no such device.
    """
    execution = run.profile.execution
    resolve_device(execution.device)  # before a model is begun
    return ZooWorkers(ModelBuilder(plan, run.layout.data, run.layout.zoo, source_opener(run)), execution.workers)


def source_opener(run: Run) -> OpenSource | None:
    """A picklable function that opens the owner's model for students; ``None`` where the source is trained here.

    Raises:
        ConfigError: the model is another one than the profile was written for.
    """
    own = run.profile.zoo.own
    if own is None:
        return None
    own_digest(own)
    return partial(_open_for_students, memory_of(run.layout))


def _open_for_students(memory: Path, plan: ZooPlan, folder: Path) -> Classifier:
    """The owner's model; behind a memory of its answers where the profile says so, or where it is a black box."""
    own = plan.profile.zoo.own
    if own is None:
        raise ConfigError("zoo.own: expected the owner's model, got none")
    classes, (channels, _, _) = len(plan.data["class_names"]), plan.data["image_shape"]
    if not own.trainable:
        return ask_black_box(own, memory, classes, channels)
    model = load_model(folder / SOURCE_ID)[0]
    if not own.remembered:
        return model

    def ask(images: NDArray[np.uint8]) -> Answers:
        return Answers.of(predict(model, torch.from_numpy(images), batch_size=_BATCH).numpy(), "logits")

    digest = own_digest(own)
    return AnsweringClassifier(ask, classes, channels, digest, AnswerMemory(memory, digest))


def summarise_zoo(run: Run, plan: ZooPlan) -> Path:
    """Check the effect of the attacks and write ``summary.json``: accuracies, checks, and the digest of the plan.

    Raises:
        ArtifactError: a model is missing, or a pruned one is not as sparse as its spec says.
    """
    cards = [
        read_json(run.layout.zoo / spec.id / CARD_FILE, advice="build the model with `nf zoo`")
        for spec in plan.lineage.specs
    ]
    for card in cards:
        expected = float(card["level"]) if card["attack"] == "prune" else None
        if expected is not None and card["sparsity"] < expected - 0.01:
            raise ArtifactError(f"{card['id']}: expected a sparsity of {expected}, got {card['sparsity']}")
    path = run.layout.zoo / SUMMARY_FILE
    shown = ("id", "architecture", "attack", "level", "role", "pool", "test_accuracy", "parameters")
    models = [{key: card[key] for key in shown} for card in cards]
    device = resolve_device(run.profile.execution.device)
    extraction = check_attacks(plan, run.layout.data, run.layout.zoo, device=device, open_source=source_opener(run))
    write_sealed(path, {"models": models, "extraction": extraction, "plan": plan.digest})
    return path


@dataclass(frozen=True)
class ZooProgress:
    """How far a zoo is built.

    Attributes:
        folder: folder of the zoo.
        built: number of models that are built.
        total: number of models in all.
    """

    folder: Path
    built: int
    total: int


def zoo(run: Run, *, max_seconds: float | None = None) -> ZooProgress:
    """Build what is missing; a run that was killed, or cut by ``max_seconds``, goes on where it was.

    Models that the profile no longer lists are deleted. The summary is written once all models are there.
    """
    if run.profile.execution.runner == "dask":
        _logger.warning("execution.runner: dask is for `python -m flows stage zoo`; building on this machine")
    plan, missing = begin_zoo(run)
    left = build_models(run, plan, missing, max_seconds=max_seconds)
    if not left:
        summarise_zoo(run, plan)
    total = len(plan.lineage.specs)
    return ZooProgress(run.layout.zoo, total - len(left), total)


def pack_zoo(run: Run, folder: Path, *, piece_bytes: int = PIECE_BYTES) -> Packed:
    """Write the finished models into pieces in ``folder``, also while others are still being built."""
    return pack_models(run.layout.zoo, folder, piece_bytes=piece_bytes)


def unpack_zoo(run: Run, folder: Path) -> Unpacked:
    """Bring the models in the pieces of ``folder`` into the zoo, which keeps those of its own recipes."""
    return unpack_models(folder, run.layout.zoo)


def build_models(run: Run, plan: ZooPlan, todo: list[str], *, max_seconds: float | None = None) -> list[str]:
    """Build ``todo``, listed parents first, in the profile's worker processes; returns what is left of it.

    Args:
        run: profile and place of the artifacts.
        plan: the zoo.
        todo: ids of models to build, from ``missing_models``.
        max_seconds: time in seconds after which no model is begun; those under way are finished.

    Raises:
        NFError: a model failed. No further one is begun then, nor after Ctrl-C.
    """
    if not todo:
        return []
    deadline = monotonic() + (math.inf if max_seconds is None else max_seconds)
    built: dict[str, Future[bool]] = {}
    failed = threading.Event()  # a thread whose model failed must not take the next before this one hears of it
    with open_workers(run, plan) as workers:

        def build(model_id: str) -> bool:
            try:
                parent = plan.lineage[model_id].parent
                ready = parent not in built or built[parent].result()
                if not ready or failed.is_set() or monotonic() >= deadline:
                    return False
                workers.build(model_id)
            except BaseException:
                failed.set()
                raise
            return True

        threads = ThreadPoolExecutor(run.profile.execution.workers)
        try:
            for model_id in todo:
                built[model_id] = threads.submit(build, model_id)
            names = {future: model_id for model_id, future in built.items()}
            finished = (names[future] for future in as_completed(names) if future.result())
            for done, model_id in enumerate(finished, start=1):
                run.progress(done, len(todo), model_id)
        except BaseException:
            failed.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        threads.shutdown()
    return [model_id for model_id, future in built.items() if not future.result()]
