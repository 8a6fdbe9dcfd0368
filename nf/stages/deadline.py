"""How long a run may take, and how what takes long hears that its time is over."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from nf.stages.run import Progress


class OutOfTimeError(Exception):
    """Raised between two steps of the work once the deadline has passed."""


class Deadline:
    """``seconds`` from now on; by default there is none."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until it; below zero once it has passed."""
        return self._ends - time.monotonic()

    def watched(self, progress: Progress) -> Progress:
        """``progress`` that also ends the work between two of its steps once the deadline has passed.

        Raises:
            OutOfTimeError: raised by what is returned, unless the step was the last.
        """

        def watching(done: int, total: int, what: str) -> None:
            progress(done, total, what)
            if done < total and self.left() <= 0:
                raise OutOfTimeError

        return watching

    @contextmanager
    def ended_by_errors(self) -> Iterator[None]:
        """An exception within ends the time that is left, so that nothing further is begun."""
        try:
            yield
        except BaseException:
            self._ends = -math.inf
            raise
