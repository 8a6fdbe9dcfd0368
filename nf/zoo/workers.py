"""A pool of persistent single-threaded processes that build models.

Small networks on few cores build fastest this way: one process per core, one thread each.
"""

import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from nf.core.errors import NFError
from nf.core.processes import worker_pool
from nf.data import Splits
from nf.zoo.build import build_model
from nf.zoo.recipes import ZooPlan


class ZooWorkers:
    """Builds models in ``count`` processes; safe to call from several threads. Use it as a context manager.

    Args:
        plan: what to build.
        splits_folder: where each process reads the images.
        folder: the zoo on disk.
        count: number of processes.
        device: where each trains; several processes share one GPU.
    """

    def __init__(self, plan: ZooPlan, splits_folder: Path, folder: Path, count: int, *, device: str = "cpu") -> None:
        self._arguments = (plan, splits_folder, folder, device)
        self._count = count
        self._lock = threading.Lock()
        self._executor = self._start()

    def build(self, model_id: str) -> tuple[dict[str, Any], float]:
        """Build one model and return its card and the seconds that it took.

        Raises:
            NFError: what went wrong, also if the process died (the pool is whole again afterwards).
        """
        executor = self._executor
        try:
            return executor.submit(_build, model_id).result()
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
        return worker_pool(self._count, _initialise, *self._arguments)


_worker: dict[str, Any] = {}


def _initialise(plan: ZooPlan, splits_folder: Path, folder: Path, device: str) -> None:
    torch.set_num_threads(1)
    _worker.update(plan=plan, splits=Splits.load(splits_folder), folder=folder, device=device)


def _build(model_id: str) -> tuple[dict[str, Any], float]:
    started = time.perf_counter()
    card = build_model(_worker["plan"], model_id, _worker["splits"], _worker["folder"], device=_worker["device"])
    return card, time.perf_counter() - started
