"""Suspects that are asked one after the other, and what comes of each.

All are opened before the first is asked, so that a wrong option costs no queries, and all are asked before the first
is judged, so that a judgement may depend on how many there were.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from nf.core.answers import Answers
from nf.core.errors import ConfigError, NoVerdictError, SuspectError
from nf.core.files import make_folder
from nf.core.predictor import Predictor
from nf.core.printing import printable
from nf.core.progress import show_progress
from nf.core.queries import QuerySet
from nf.monitoring import note_seen
from nf.suspects import (
    Asked,
    CsvSuspect,
    Examination,
    Examined,
    Interface,
    Searchable,
    ServedSuspect,
    holds_suspects,
    is_served,
    open_suspect,
    output_of,
    suspects_in,
)
from nf.verdict import (
    Benchmark,
    StagedVerdict,
    Verdict,
    corrected_together,
    decide,
    decide_at_look,
    decide_in_stages,
    identify,
)


@dataclass(frozen=True)
class Case:
    """One suspect and what is known of it: it was examined and judged, or something stood in the way.

    Attributes:
        place: file or address of the suspect.
        examined: what it answered, and how it was asked.
        verdict: what is claimed of it.
        error: what stood in the way; a ``NoVerdictError`` where it answers, but not with sense.
        spent: what a server was asked, and at what cost.
        asked_at: time at which it was asked, in UTC.
        staged: verdict in stages, if it was asked so.
        identity: what it was before it was asked, from ``nf.verdict.identify``.
    """

    place: str
    examined: Examined | None = None
    verdict: Verdict | None = None
    error: SuspectError | None = None
    spent: Asked | None = None
    asked_at: datetime | None = None
    staged: StagedVerdict | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """What stood in the way, without the name of the suspect; empty if nothing did."""
        return printable(str(self.error or "").removeprefix(f"{self.place}: "))


def open_suspects(
    places: Sequence[str],
    *,
    stated: Interface,
    timeout: float | None,
    journal: Path | None,
    manners: Mapping[str, float | None] | None = None,
    **options: Any,
) -> dict[str, Predictor]:
    """The suspects at ``places`` by what names them, each once.

    Of several, each takes what it heeds of what is said of all of them.

    Args:
        places: files and addresses, in the order in which they are asked; folders stand for the models in them.
        stated: how they are asked, as far as that is known.
        timeout: seconds that a file may take for all images, or a server for each.
        journal: folder for servers' answers; where none is named, that of the user.
        manners: how servers are asked; see ``open_suspect``.
        options: further arguments of ``open_suspect``, for each of them.

    Raises:
        ConfigError: an option fits none of them, or is not to be left out for one that it does not fit, or a folder has
            no suspects.
    """
    named = dict(entry for place in places for entry in _expanded(place))
    opened = {
        place: open_suspect(
            place,
            output=output_of(stated),
            timeout_seconds=timeout,
            stated=stated,
            manners=manners,
            journal=journal or (_state_folder() if is_served(place) and not model_file else None),
            model_file=model_file,
            shared=len(named) > 1,
            **options,
        )
        for place, model_file in named.items()
    }
    _check_heeded(opened.values(), stated, {**(manners or {}), "journal": journal})
    return opened


def _check_heeded(suspects: Collection[Predictor], stated: Interface, of_servers: Mapping[str, Any]) -> None:
    """Refuse what was said of several suspects and none of them heeds.

    Raises:
        ConfigError: there is such an option.
    """
    said = [name for name, value in of_servers.items() if value is not None]
    if said and not any(isinstance(suspect, ServedSuspect) for suspect in suspects):
        raise ConfigError(f"{said[0]}: expected an address that is asked so, got {len(suspects)} files")
    heeded = [suspect.interface for suspect in suspects if isinstance(suspect, Searchable)]
    for name, value in stated.stated().items():
        if all(getattr(how, name) != value for how in heeded):
            raise ConfigError(f"input: expected what one of the suspects heeds, got {Interface.of(**{name: value})}")


def ask_all(
    suspects: dict[str, Predictor],
    folder: Path,
    queries: QuerySet,
    stated: Interface,
    *,
    sequential: bool = False,
    known: Benchmark | None = None,
) -> Iterator[Case]:
    """Ask each of ``suspects`` the ``queries`` in ``folder``; the ledger notes who is about to see an issued set.

    One that cannot be asked does not keep the others from it. What a server answered stays in its journal; see
    ``forget``.

    Args:
        suspects: suspects by what names them.
        folder: folder of the query set.
        queries: the query set.
        stated: how they are asked, as far as that is known.
        sequential: whether to ask no more queries than the evidence needs.
        known: wrong verdicts with these queries on a zoo.

    Raises:
        ArtifactError: the query set is retired, or a journal or the ledger cannot be written.
    """

    def claim(answers: Answers) -> str:
        found = decide_at_look(answers.labels, queries) if sequential else decide(answers, queries)
        return found.outcome

    with _progress(len(suspects)) as report:
        for done, (place, suspect) in enumerate(suspects.items(), start=1):
            in_table = isinstance(suspect, CsvSuspect)  # it saw the set when that may have been in use
            note = partial(note_seen, folder, queries.digest, place, even_retired=in_table)
            examination = Examination(suspect, queries, stated, before_queries=note, claim=claim)
            case = Case(place, asked_at=datetime.now(UTC))
            try:
                case = replace(case, identity=identify(place, suspect))
                staged = None
                if sequential:
                    staged = decide_in_stages(examination.ask, queries, known, suspects=len(suspects))
                else:
                    examination.ask(slice(0, len(queries)))
                case = replace(case, examined=_lean(examination.finish(), queries), staged=staged)
            except SuspectError as failure:
                # This one holds on to all that was asked.
                case = replace(case, error=type(failure)(*failure.args))
            yield replace(case, spent=suspect.asked if isinstance(suspect, ServedSuspect) else None)
            report(done, len(suspects), printable(place))


def judged(cases: Sequence[Case], queries: QuerySet, known: Benchmark | None) -> list[Case]:
    """``cases`` with the verdicts of those that were examined, corrected for their number."""
    alone = [_judged(case, queries, known) for case in cases]
    verdicts = iter(corrected_together([case.verdict for case in alone if case.verdict is not None]))
    return [case if case.verdict is None else replace(case, verdict=next(verdicts)) for case in alone]


def forget(suspects: Mapping[str, Predictor], cases: Sequence[Case]) -> None:
    """The answers of all that were asked to the end are kept elsewhere by now: the next run asks anew."""
    for case in cases:
        suspect = suspects[case.place]
        if isinstance(suspect, ServedSuspect) and (case.error is None or isinstance(case.error, NoVerdictError)):
            suspect.finish()


def _judged(case: Case, queries: QuerySet, known: Benchmark | None) -> Case:
    if case.examined is None:
        return case
    try:
        verdict = case.staged.verdict if case.staged else decide(case.examined.answers, queries, known)
    except SuspectError as error:
        return replace(case, error=error)
    return replace(case, verdict=verdict)


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
        make_folder(folder)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None
