"""What a run is at: a line for each stage, and a page that is rewritten, with the time left and what is to be seen."""

import heapq
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import click

from flows.environment import ROOT
from nf.core.config import Profile
from nf.core.errors import ArtifactError
from nf.core.files import read_notes
from nf.core.paths import PAGE_FILE, SAMPLES_FILE, SHEET_FILE, SHEETS_FOLDER, Layout
from nf.core.progress import read_line
from nf.report import ProgressRow, Sight, State, duration, gan_name, scheme_name, write_progress_page

_UNKNOWN_SECONDS = 20.0
"""What a stage is taken to need of which nothing is known; most such are small."""

_SECONDS_BETWEEN_PAGES = 2.0
_NOISE = re.compile(
    r"\s*$|Running stage |> python -m flows |(Generating|Updating) lock file |To track the changes with git"
    r"|\tgit add |To enable auto staging|\tdvc config |Use `dvc push`"
)
"""What DVC says of itself; the board says it once, in its own words."""


@dataclass
class _Stage:
    expected: float | None
    began: float | None = None
    ended: float | None = None
    failed: bool = False
    line: str = ""
    left: float | None = None  # by the stage's own lines, at `told`
    told: float = 0.0

    @property
    def state(self) -> State:
        """How far it is."""
        if self.ended is not None:
            return "failed" if self.failed else "done"
        return "waits" if self.began is None else "at work"

    def remaining(self, now: float) -> float:
        """Seconds that are left of it."""
        if self.ended is not None:
            return 0.0
        expected = _UNKNOWN_SECONDS if self.expected is None else self.expected
        if self.began is None:
            return expected
        if self.left is not None:
            return max(0.0, self.left - (now - self.told))
        return max(0.0, expected - (now - self.began))


class Board:
    """Says what the stages of a run are at, on the terminal and in ``out/<profile>/progress.html``.

    Args:
        profile: profile of the run.
        awaited: for each stage of the run those that it waits for.
        workers: number of stages that run side by side.
    """

    def __init__(self, profile: Profile, awaited: Mapping[str, Sequence[str]], workers: int) -> None:
        self._profile = profile
        self._layout = Layout(ROOT / "out" / profile.name)
        self._awaited = awaited
        self._workers = workers
        known = _known_seconds(profile, self._layout)
        order = [name for name in TopologicalSorter(awaited).static_order() if name in awaited]
        self._stages = {name: _Stage(known.get(name)) for name in order}
        self._lock = threading.Lock()
        self._written = 0.0
        timed = sum(stage.expected is not None for stage in self._stages.values())
        about = f", about {duration(self._left())}" if timed else ", for how long is not known yet"
        click.echo(f"{_counted(len(awaited))} to make for the profile {profile.name}{about}")
        self._write(force=True)
        click.echo(f"follow it in a browser: {self.page.as_uri()}")

    @property
    def page(self) -> Path:
        """Where the page lies."""
        return self._layout.progress

    def begin(self, name: str) -> None:
        """The stage ``name`` begins."""
        with self._lock:
            self._stages[name].began = time.monotonic()
            number = sum(stage.began is not None for stage in self._stages.values())
            click.echo(f"{name}: begins, {number} of {len(self._stages)}")
            self._write(force=True)

    def line(self, name: str, line: str) -> None:
        """The stage ``name`` said ``line``."""
        if _NOISE.match(line):
            return
        click.echo(line, nl=False)
        with self._lock:
            stage = self._stages[name]
            told = read_line(line.strip())
            stage.line = line.strip().removeprefix(f"{name}: ")
            if told is not None and told.seconds_left is not None:
                stage.left, stage.told = told.seconds_left, time.monotonic()
            self._write()

    def end(self, name: str, *, failed: bool) -> None:
        """The stage ``name`` has ended."""
        with self._lock:
            stage = self._stages[name]
            stage.ended, stage.failed = time.monotonic(), failed
            spent = duration(stage.ended - (stage.began or stage.ended))
            done = all(stage.ended is not None for stage in self._stages.values())
            left = "" if failed or done else f"; about {duration(self._left())} left"
            click.echo(f"{name}: {'failed' if failed else 'done'} after {spent}{left}")
            self._write(force=True)

    def close(self) -> None:
        """Nothing more will happen: the page says how far it came, and is not read anew."""
        with self._lock:
            self._write(force=True, closed=True)

    def _left(self) -> float:
        now = time.monotonic()
        return seconds_left(
            self._awaited,
            {name: each.remaining(now) for name, each in self._stages.items()},
            [name for name, each in self._stages.items() if each.began is not None],
            self._workers,
        )

    def _write(self, *, force: bool = False, closed: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._written < _SECONDS_BETWEEN_PAGES:
            return
        self._written = now
        with suppress(ArtifactError):  # where it cannot be written, a stage will say so of its own files
            write_progress_page(
                self.page,
                profile=self._profile.name,
                rows=[_row(name, stage, now) for name, stage in self._stages.items()],
                seconds_left=self._left(),
                sights=list(_sights(self._layout, self._profile)),
                closed=closed,
            )


def seconds_left(
    awaited: Mapping[str, Sequence[str]], remaining: Mapping[str, float], running: Iterable[str], workers: int
) -> float:
    """Seconds until all stages are done, ``workers`` at a time, each as soon as those that it waits for are.

    Args:
        awaited: for each stage those that it waits for.
        remaining: seconds that are left of each; 0 for one that is done.
        running: those that have begun.
        workers: number of stages that run side by side.
    """
    done = {name for name, seconds in remaining.items() if seconds <= 0}
    begun = [(remaining[name], name) for name in running if name not in done]
    heapq.heapify(begun)
    waiting = [name for name in awaited if name not in done and name not in {each for _, each in begun}]
    now = 0.0
    while begun or waiting:
        for name in list(waiting):
            if len(begun) < workers and all(other in done or other not in awaited for other in awaited[name]):
                waiting.remove(name)
                heapq.heappush(begun, (now + remaining[name], name))
        if not begun:
            break  # a cycle, which DVC refuses
        now, name = heapq.heappop(begun)
        done.add(name)
    return now


def _known_seconds(profile: Profile, layout: Layout) -> dict[str, float]:
    """What stages took on this machine, else what the profile says, else what the record of the profile says."""
    recorded: dict[str, Any] = read_notes(ROOT / "results" / f"{profile.name}.json")
    found = recorded.get("seconds")
    seconds = (
        {str(name).replace("/", "-"): float(each) for name, each in found.items()} if isinstance(found, dict) else {}
    )
    return {**seconds, **profile.seconds, **read_notes(layout.timings)}


def _row(name: str, stage: _Stage, now: float) -> ProgressRow:
    seconds = None if stage.began is None else (now if stage.ended is None else stage.ended) - stage.began
    return ProgressRow(name, stage.state, seconds, stage.expected if stage.ended is None else None, stage.line)


def _sights(layout: Layout, profile: Profile) -> Iterable[Sight]:
    """What there is to look at, the newest part of a run last."""
    for name in profile.gans:
        drawn = sorted((layout.gan(name) / SHEETS_FOLDER).glob("*.png"))[-1:]  # while it trains
        yield Sight(f"Images that {gan_name(name)} draws", [*drawn, layout.gan(name) / SAMPLES_FILE][0], picture=True)
    for name in profile.schemes:
        yield Sight(f"Queries of {scheme_name(name)}", layout.fingerprint(name) / SHEET_FILE, picture=True)
    yield Sight("The report", layout.report / PAGE_FILE)
    yield Sight("The comparison of schemes", layout.comparison / PAGE_FILE)


def _counted(count: int) -> str:
    return f"{count} stage{'' if count == 1 else 's'}"
