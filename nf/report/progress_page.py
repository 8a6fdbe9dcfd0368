"""The page of a run that is under way: what is done, what is left, and what is there to see already."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nf.core.files import write_text
from nf.report.formats import duration
from nf.report.rendering import environment

_TEMPLATE = "progress.html.j2"
_SECONDS_BETWEEN_READS = 5

State = Literal["waits", "at work", "done", "failed"]


@dataclass(frozen=True)
class ProgressRow:
    """A stage of the run.

    Attributes:
        name: as in ``dvc.yaml``.
        state: how far it is.
        seconds: time taken so far; ``None`` before it begins.
        expected: seconds that it should take, where they are known and it is not done.
        line: the last line that it printed.
    """

    name: str
    state: State
    seconds: float | None
    expected: float | None
    line: str


@dataclass(frozen=True)
class Sight:
    """Something to look at, shown once its file is there.

    Attributes:
        title: what it is.
        path: a picture or a page.
        picture: whether it is a picture, which the page shows.
    """

    title: str
    path: Path
    picture: bool = False


def write_progress_page(
    path: Path,
    *,
    profile: str,
    rows: Sequence[ProgressRow],
    seconds_left: float,
    sights: Sequence[Sight],
    closed: bool = False,
) -> None:
    """Write the page to ``path``; a browser reads it anew every few seconds until it is ``closed``.

    Args:
        path: HTML file to write.
        profile: name of the profile.
        rows: all stages of the run.
        seconds_left: until the last is done.
        sights: what there is to look at; those whose file is missing are left out.
        closed: whether the run has ended.

    Raises:
        ArtifactError: the file cannot be written.
    """
    page = environment().get_template(_TEMPLATE)
    write_text(
        path,
        page.render(
            answer=_answer(rows, seconds_left, closed=closed),
            profile=profile,
            rows=rows,
            every=None if closed else _SECONDS_BETWEEN_READS,
            sights=[(sight, os.path.relpath(sight.path, path.parent)) for sight in sights if sight.path.exists()],
        ),
    )


def _answer(rows: Sequence[ProgressRow], seconds_left: float, *, closed: bool) -> str:
    """How far the run is, in one sentence."""
    states = [row.state for row in rows]
    done = f"{states.count('done')} of {len(rows)} stages are done"
    if states.count("done") == len(rows):
        return f"All is done: {len(rows)} stage{'' if len(rows) == 1 else 's'}"
    if "failed" in states:
        failed = ", ".join(row.name for row in rows if row.state == "failed")
        return f"{done}; {failed} failed, and the terminal says why"
    if closed:
        return f"{done}; the run has ended, and the same command goes on from there"
    return f"{done}, about {duration(seconds_left)} left"
