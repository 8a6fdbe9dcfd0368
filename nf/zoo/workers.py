"""Building models in fresh processes: a pool on this machine, or another machine's.

Small networks on few cores build fastest this way: one persistent process per core, one thread each.
"""

import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from nf.core.errors import NFError
from nf.core.files import canonical_json, read_json
from nf.core.paths import CARD_FILE
from nf.core.processes import worker_pool
from nf.core.threads import TORCH_RNG_LOCK
from nf.data import Splits
from nf.models import resolve_device
from nf.zoo.build import OpenSource, build_model, is_built
from nf.zoo.plan import ZooPlan


@dataclass(frozen=True)
class ModelBuilder:
    """Builds models of one plan in whatever process ``build`` is called; small enough to be sent with every call.

    Attributes:
        plan: the zoo to build.
        splits_folder: folder of the prepared images, by a path that is valid in every process.
        folder: folder of the zoo, by a path that is valid in every process.
        open_source: picklable function that opens a source that the owner trained elsewhere.
    """

    plan: ZooPlan
    splits_folder: Path
    folder: Path
    open_source: OpenSource | None = None

    def build(self, model_id: str) -> tuple[dict[str, Any], float]:
        """Build one model on one thread and return its card and the seconds that it took.

        A model that is there already is kept: the process that built it may have died before it could say so.

        Raises:
            NFError: the model cannot be built; the message says why.
        """
        started = time.perf_counter()
        with TORCH_RNG_LOCK:
            torch.set_num_threads(1)
            if is_built(self.plan, model_id, self.folder):
                card = read_json(self.folder / model_id / CARD_FILE)
            else:
                splits = _load_once(self.splits_folder, canonical_json(self.plan.data["hashes"]))
                device = resolve_device(self.plan.profile.execution.device)
                card = build_model(
                    self.plan, model_id, splits, self.folder, device=device, open_source=self.open_source
                )
        return card, time.perf_counter() - started


@lru_cache(maxsize=1)
def _load_once(folder: Path, hashes: str) -> Splits:
    """The splits, read once per process; ``hashes`` tell new images in the same folder from those that were read."""
    del hashes
    return Splits.load(folder)


class ZooWorkers:
    """Builds models in ``count`` processes; safe to call from several threads. Use it as a context manager.

    Args:
        builder: builder that every process calls; several processes share one GPU.
        count: number of processes, at least 1.
    """

    def __init__(self, builder: ModelBuilder, count: int) -> None:
        self._builder = builder
        self._count = count
        self._lock = threading.Lock()
        self._executor = self._start()

    def build(self, model_id: str) -> tuple[dict[str, Any], float]:
        """Build one model and return its card and the seconds that it took.

        Raises:
            NFError: the model cannot be built, or the process died (the pool is whole again afterwards).
        """
        executor = self._executor
        try:
            return executor.submit(self._builder.build, model_id).result()
        except BrokenProcessPool as error:
            with self._lock:
                if self._executor is executor:
                    executor.shutdown(wait=False)
                    self._executor = self._start()
            raise NFError(f"a worker process died while {model_id!r} was built; it may be short of memory") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=kind is None, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        return worker_pool(self._count, torch.set_num_threads, 1)
