"""A process that is killed at a write that is chosen, and not at a moment."""

import os
import signal
from itertools import count
from typing import Any


def kill_before(write: int) -> None:
    """Let SIGKILL take this process before it renames a file for the time number ``write``, counted from 0.

    All that the project writes is written beside its place and renamed: these are the moments between two writes.
    """
    rename, numbers = os.replace, count()

    def replace(*paths: Any, **places: Any) -> None:
        if next(numbers) == write:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths, **places)

    os.replace = replace
