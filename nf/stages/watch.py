"""Watching: every suspect of the list is sent the query set in use, and its history is kept and drawn."""

from pathlib import Path

from nf.core.errors import SuspectError
from nf.core.files import read_json, write_json
from nf.core.paths import METRICS_FILE, PAGE_FILE
from nf.core.queries import QuerySet
from nf.monitoring import (
    Change,
    IssuedSet,
    Ledger,
    Observation,
    WatchedSuspect,
    Watchlist,
    append_history,
    find_changes,
    open_watched,
    read_history,
    stated_of,
)
from nf.report import WatchedHistory, write_watch_page
from nf.stages.issue import now
from nf.stages.run import Run
from nf.suspects import examine
from nf.verdict import check_card, decide, load_benchmark

_ANNOUNCED_FILE = "announced.json"


def watch_suspect(run: Run, issued: IssuedSet, suspect: WatchedSuspect, folder: Path) -> Observation:
    """Ask ``suspect`` with the issued set and add what comes of it to its history.

    The ledger notes that the suspect has seen the set before the first query is sent. A suspect that does not answer,
    or not with sense, leaves a line in its history and no exception.

    Args:
        run: profile and place of the artifacts.
        issued: query set in use.
        suspect: entry of the watch list.
        folder: folder of the watch list.

    Raises:
        ArtifactError: query set, ledger or history are damaged, or the set has been retired meanwhile.
        ConfigError: the variable for the suspect's token is not set.
    """
    ledger, at = Ledger(run.layout.issued), now()
    queries = QuerySet.load(ledger.folder(issued.digest))
    check_card(queries)
    predictor = open_watched(suspect, folder)
    try:
        examined = examine(
            predictor,
            queries,
            stated_of(suspect, folder),
            before_queries=lambda: ledger.show(issued.digest, suspect.name, at),
        )
        verdict = decide(examined.answers, queries)
        judged = {name: getattr(verdict, name) for name in ("score", "threshold", "stolen", "one_hot")}
        observation = Observation(at, issued.digest, **judged)
    except SuspectError as error:
        observation = Observation(at, issued.digest, error=str(error))
    append_history(_history_path(run, suspect.name), observation)
    return observation


def draw_watch(run: Run, watchlist: Watchlist) -> Path:
    """Write the page about all suspects of the list that have been queried, and return its path."""
    ledger = Ledger(run.layout.issued)
    issued = ledger.current()
    benchmark = load_benchmark(ledger.folder(issued.digest) / METRICS_FILE, QuerySet.load(ledger.folder(issued.digest)))
    histories = _histories(run, watchlist)
    page = run.layout.watch / PAGE_FILE
    write_watch_page(
        page,
        profile=run.profile.name,
        issued=issued,
        benchmark=benchmark,
        suspects=[WatchedHistory(name, history) for name, history in histories.items() if history],
    )
    return page


def watch_changes(run: Run, watchlist: Watchlist) -> list[Change]:
    """Verdicts that differ from those last announced; they stay in this list until ``mark_announced``."""
    return list(find_changes(_histories(run, watchlist), _announced(run)))


def mark_announced(run: Run, change: Change) -> None:
    """Note that a change has been announced."""
    write_json(run.layout.watch / _ANNOUNCED_FILE, {**_announced(run), change.suspect: change.stolen})


def _histories(run: Run, watchlist: Watchlist) -> dict[str, tuple[Observation, ...]]:
    return {suspect.name: read_history(_history_path(run, suspect.name)) for suspect in watchlist.suspects}


def _history_path(run: Run, suspect: str) -> Path:
    return run.layout.watch / f"{suspect}.jsonl"


def _announced(run: Run) -> dict[str, bool]:
    path = run.layout.watch / _ANNOUNCED_FILE
    return read_json(path) if path.exists() else {}
