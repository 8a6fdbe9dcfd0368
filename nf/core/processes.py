"""Processes that never outlive their parent."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from typing import Any

_PR_SET_PDEATHSIG = 1


def die_with_parent(number: signal.Signals = signal.SIGTERM, parent: int | None = None) -> None:
    """Ask Linux to end this process when its parent dies, even if that was killed outright; elsewhere do nothing.

    Args:
        number: the signal that ends this process.
        parent: id of the parent when this process began: one that has died since is noticed, too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if parent is not None and os.getppid() != parent:
            os.kill(os.getpid(), number)


def worker_pool(count: int, initialise: Callable[..., None], *arguments: Any) -> ProcessPoolExecutor:
    """A pool of ``count`` fresh processes (spawned, not forked: torch's threads do not survive a fork).

    Args:
        count: number of processes, at least 1.
        initialise: module-level function that each process calls once, before its first task.
        arguments: positional arguments of ``initialise``, which must be picklable.
    """
    context = multiprocessing.get_context("spawn")
    task = pickle.dumps((initialise, arguments))  # read once the parent is watched: to import torch takes seconds
    return ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(task,))


def _begin(task: bytes) -> None:
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    initialise, arguments = pickle.loads(task)
    initialise(*arguments)


def _exit_with_parent() -> None:
    """A parent that is killed outright cannot stop its workers, so they watch it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
