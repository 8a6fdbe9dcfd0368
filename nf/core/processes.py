"""Pools of worker processes that never outlive their parent."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from typing import Any


def worker_pool(count: int, initialise: Callable[..., None], *arguments: Any) -> ProcessPoolExecutor:
    """A pool of ``count`` fresh processes (spawned, not forked: torch's threads do not survive a fork).

    Args:
        count: number of processes, at least 1.
        initialise: called once in each with ``arguments``; a module-level function.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(initialise, arguments))


def _begin(initialise: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    initialise(*arguments)


def _exit_with_parent() -> None:
    """A parent that is killed outright cannot stop its workers, so they watch it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
