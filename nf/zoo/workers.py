"""A pool of persistent single-threaded processes that build models.

Small networks on few cores build fastest this way: one process per core, one thread each.
"""

import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Self

import torch

from nf.core.errors import NFError
from nf.core.processes import worker_pool
from nf.zoo.builder import ModelBuilder


class ZooWorkers:
    """Builds models in ``count`` processes; safe to call from several threads. Use it as a context manager.

    Args:
        builder: what each process calls; several share one GPU.
        count: number of processes.
    """

    def __init__(self, builder: ModelBuilder, count: int) -> None:
        self._builder = builder
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
