"""Progress of long work: a bar with the time left on a terminal, plain lines elsewhere."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 15.0
_LINE = re.compile(r"(?P<title>\S+): (?P<done>\d+)/(?P<total>\d+) .*\(\d+ s(?:, about (?P<left>\d+) s left)?\)$")


@dataclass(frozen=True)
class Step:
    """What a plain line says.

    Attributes:
        done: steps that are done.
        total: steps in all.
        seconds_left: until the last, where that is known.
    """

    done: int
    total: int
    seconds_left: float | None


def read_line(line: str) -> Step | None:
    """What a line that ``show_progress`` wrote says; ``None`` if it did not write it."""
    found = _LINE.match(line)
    if found is None:
        return None
    left = found["left"]
    return Step(int(found["done"]), int(found["total"]), None if left is None else float(left))


@contextmanager
def show_progress(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show on standard error how far the work called ``title`` is.

    Yields:
        A function (steps done, steps in all, what was just done) to be called after each step.
    """
    if sys.stderr.isatty():
        columns = (
            TextColumn("[bold]{task.fields[title]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=False) as bar:
            item = bar.add_task("", total=None, title=title)
            yield lambda done, total, what: bar.update(item, completed=done, total=total, description=what)
    else:
        yield _Lines(title)


class _Lines:
    def __init__(self, title: str) -> None:
        self._title = title
        self._started = self._shown = time.monotonic()
        self._total = self._done = 0

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if total != self._total or done < self._done:  # the first call for new work: what came before was preparation
            self._total, self._first, self._first_at = total, done, now
        self._done = done
        if done < total and now - self._shown < _SECONDS_BETWEEN_LINES:
            return
        self._shown = now
        spent = now - self._started
        since = done - self._first
        left = f", about {(now - self._first_at) / since * (total - done):.0f} s left" if since and done < total else ""
        with suppress(BrokenPipeError):  # nobody looks any more, which is no reason to stop
            sys.stderr.write(f"{self._title}: {done}/{total} {what} ({spent:.0f} s{left})\n")
            sys.stderr.flush()
