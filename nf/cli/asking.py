"""Suspects that are asked one after the other, and what comes of each.

All are opened before the first is asked, so that a wrong option costs no queries, and all are asked before the first
is judged, so that a judgement may depend on how many there were.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nf.core.errors import SuspectError
from nf.core.predictor import Predictor
from nf.core.printing import printable
from nf.core.progress import show_progress
from nf.core.queries import QuerySet
from nf.monitoring import note_seen
from nf.suspects import (
    Asked,
    CsvSuspect,
    Examined,
    Interface,
    ServedSuspect,
    examine,
    holds_suspects,
    is_served,
    open_suspect,
    output_of,
    suspects_in,
)
from nf.verdict import Calibration, Verdict, decide


@dataclass(frozen=True)
class Case:
    """One suspect and what is known of it: it was examined and judged, or something stood in the way.

    Attributes:
        place: file or address of the suspect.
        examined: what it answered, and how it was asked.
        verdict: what is claimed of it.
        error: what stood in the way; a ``NoVerdictError`` where it answers, but not with sense.
        spent: what a server was asked, and at what cost.
    """

    place: str
    examined: Examined | None = None
    verdict: Verdict | None = None
    error: SuspectError | None = None
    spent: Asked | None = None

    @property
    def reason(self) -> str:
        """What stood in the way, without the name of the suspect; empty if nothing did."""
        return printable(str(self.error or "").removeprefix(f"{self.place}: "))


def open_suspects(
    places: Sequence[str], *, stated: Interface, timeout: float | None, journal: Path | None, **options: Any
) -> dict[str, Predictor]:
    """The suspects at ``places`` by what names them, each once.

    Args:
        places: files and addresses, in the order in which they are asked; folders stand for the models in them.
        stated: how they are asked, as far as that is known.
        timeout: seconds that a file may take for all images, or a server for each.
        journal: folder for servers' answers; where none is named, that of the user.
        options: further arguments of ``open_suspect``, for each of them.

    Raises:
        ConfigError: an option does not fit one of them, or a folder has no suspects.
    """
    named = dict(entry for place in places for entry in _expanded(place))
    return {
        place: open_suspect(
            place,
            output=output_of(stated),
            timeout_seconds=timeout or 60.0,
            stated=stated,
            journal=journal or (_state_folder() if is_served(place) else None),
            model_file=model_file,
            **options,
        )
        for place, model_file in named.items()
    }


def ask_all(suspects: dict[str, Predictor], folder: Path, queries: QuerySet, stated: Interface) -> Iterator[Case]:
    """Ask each of ``suspects`` the ``queries`` in ``folder``; the ledger notes who is about to see an issued set.

    One that cannot be asked does not keep the others from it.

    Raises:
        ArtifactError: the query set is retired, or a journal or the ledger cannot be written.
    """
    with _progress(len(suspects)) as report:
        for done, (place, suspect) in enumerate(suspects.items(), start=1):
            note = partial(note_seen, folder, queries.digest, place, long_ago=isinstance(suspect, CsvSuspect))
            examined: Examined | None = None
            error: SuspectError | None = None
            try:
                examined = _lean(examine(suspect, queries, stated, before_queries=note), queries)
            except SuspectError as failure:
                error = type(failure)(*failure.args)  # this one holds on to all that was asked
            spent = suspect.asked if isinstance(suspect, ServedSuspect) else None
            yield Case(place, examined, error=error, spent=spent)
            report(done, len(suspects), printable(place))


def judge(examined: Sequence[Examined], queries: QuerySet, known: Calibration | None) -> list[Verdict | SuspectError]:
    """The verdicts on all that were ``examined`` in one run, in their order; an error where answers give no score."""

    def verdict(one: Examined) -> Verdict | SuspectError:
        try:
            return decide(one.answers, queries, known)
        except SuspectError as error:
            return error

    return [verdict(one) for one in examined]


def judged(cases: Sequence[Case], queries: QuerySet, known: Calibration | None) -> list[Case]:
    """``cases`` with the verdicts of those that were examined."""
    verdicts = iter(judge([case.examined for case in cases if case.examined is not None], queries, known))
    found = [None if case.examined is None else next(verdicts) for case in cases]
    return [
        replace(case, error=one) if isinstance(one, SuspectError) else replace(case, verdict=one)
        for case, one in zip(cases, found, strict=True)
    ]


def _expanded(place: str) -> Iterator[tuple[str, bool]]:
    """``place``, or the suspects in that folder, and whether each is a model whatever it is called."""
    if holds_suspects(Path(place)):
        yield from ((str(path), True) for path in suspects_in(Path(place)))
    else:
        yield place, False


def _lean(examined: Examined, queries: QuerySet) -> Examined:
    """Without probabilities that no verifier reads: of a thousand classes they are half a megabyte a suspect."""
    if queries.verifier is not None:
        return examined
    return replace(examined, answers=replace(examined.answers, probabilities=None))


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int, int, str], None]]:
    """Of one suspect none is shown."""
    if count == 1:
        yield lambda done, total, what: None
        return
    with show_progress("asking suspects") as report:
        yield report


def _state_folder() -> Path | None:
    """Where programs keep what is to outlive them, by the XDG Base Directory Specification; ``None`` without a home."""
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()) / "naturalfinger"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None
