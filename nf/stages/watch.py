"""Watching: every suspect of the list is sent the query set in use, and its history is kept and drawn."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from nf.core.errors import ArtifactError, RetiredSetError, SuspectError
from nf.core.files import read_json, write_sealed
from nf.core.paths import METRICS_FILE, PAGE_FILE, VERDICTS_FILE
from nf.core.queries import QuerySet
from nf.monitoring import (
    FORMER_OUTCOMES,
    Change,
    CorrectedVerdict,
    Ledger,
    Observation,
    WatchedSuspect,
    Watchlist,
    append_history,
    correct,
    find_changes,
    open_watched,
    read_history,
    stated_of,
)
from nf.report import WatchedHistory, write_watch_page
from nf.stages.issue import now
from nf.stages.run import Run
from nf.suspects import ServedSuspect, examine
from nf.verdict import OUTCOMES, Benchmark, Outcome, check_card, decide, load_benchmark

_ANNOUNCED_FILE = "announced.json"
_OUTCOMES = "outcomes"
_MOVE = "move it away, and what was announced is announced again"


def watch_suspect(run: Run, suspect: WatchedSuspect, folder: Path) -> Observation:
    """Ask ``suspect`` with the query set in use and add what comes of it to its history.

    The ledger notes that the suspect has seen the set before the first query is sent. Where a newer set has taken its
    place by then, the suspect is asked with that one. A suspect that does not answer, or not with sense, leaves a line
    in its history and no exception.

    Args:
        run: profile and place of the artifacts.
        suspect: entry of the watch list.
        folder: folder of the watch list.

    Raises:
        ArtifactError: query set, ledger or history are damaged, or there is no set in use.
        ConfigError: the variable for the suspect's token is not set.
    """
    ledger = Ledger(run.layout.issued)
    observation = None
    while observation is None:
        with suppress(RetiredSetError):
            observation = _ask(ledger, suspect, folder)
    append_history(_history_path(run, suspect.name), observation)
    return observation


def _ask(ledger: Ledger, suspect: WatchedSuspect, folder: Path) -> Observation:
    """What ``suspect`` answers to the set in use; raises ``RetiredSetError`` where that is retired before a query."""
    issued, at = ledger.current(), now()
    queries = QuerySet.load(ledger.folder(issued.digest))
    check_card(queries)
    predictor = open_watched(suspect, folder)
    try:
        examined = examine(
            predictor,
            queries,
            stated_of(suspect, folder),
            claim=lambda answers: decide(answers, queries).outcome,
            before_queries=lambda: ledger.show(issued.digest, suspect.name, at),
        )
        verdict = decide(examined.answers, queries)
        return Observation(
            at,
            issued.digest,
            score=verdict.score,
            threshold=verdict.threshold,
            outcome=verdict.outcome,
            calibrated=verdict.calibrated,
            independent=verdict.independent.value if verdict.independent else None,
            trained=verdict.trained.value if verdict.trained else None,
            levels=verdict.levels,
            one_hot=verdict.one_hot,
        )
    except SuspectError as error:
        return Observation(at, issued.digest, error=str(error))
    finally:
        if isinstance(predictor, ServedSuspect):
            predictor.close()


def benchmark_of(run: Run, digest: str) -> Benchmark:
    """Known errors of verdicts with the issued query set ``digest``, measured on the zoo when it was issued.

    Raises:
        ArtifactError: set or metrics are missing or damaged, or from before verdicts had levels.
    """
    folder = Ledger(run.layout.issued).folder(digest)
    try:
        return load_benchmark(folder / METRICS_FILE, QuerySet.load(folder))
    except ArtifactError as error:
        raise ArtifactError(f"{error}; or issue a new query set with `refingerprint`") from error


def watch_verdicts(run: Run, watchlist: Watchlist) -> dict[str, CorrectedVerdict]:
    """The corrected verdicts on the suspects of the list, by name; see ``nf.monitoring.correct``."""
    return correct(_histories(run, watchlist))


def draw_watch(run: Run, watchlist: Watchlist) -> Path:
    """Write the page about all suspects of the list that have been queried, and return its path.

    What it says of them and of the known errors stands beside it as ``verdicts.json``.
    """
    ledger = Ledger(run.layout.issued)
    issued, verdicts = ledger.current(), watch_verdicts(run, watchlist)
    benchmark, histories = benchmark_of(run, issued.digest), _histories(run, watchlist)
    page = run.layout.watch / PAGE_FILE
    write_watch_page(
        page,
        profile=run.profile.name,
        issued=issued,
        queries=QuerySet.load(ledger.folder(issued.digest)),
        benchmark=benchmark,
        suspects=[WatchedHistory(name, history, verdicts.get(name)) for name, history in histories.items() if history],
    )
    record = {
        "query_set": issued.digest,
        "benchmark": benchmark.to_json(),
        "suspects": [verdict.to_json() for verdict in verdicts.values()],
    }
    write_sealed(run.layout.watch / VERDICTS_FILE, record)
    return page


def watch_changes(run: Run, watchlist: Watchlist) -> list[Change]:
    """Verdicts that differ from those last announced; they stay in this list until ``mark_announced``."""
    changes = find_changes(watch_verdicts(run, watchlist), _announced(run))
    return [replace(change, benchmark=_known_errors(run, change.verdict)) for change in changes]


def _known_errors(run: Run, verdict: CorrectedVerdict) -> Benchmark | None:
    """A change is told also where no error rates are known, as with labels in place of the verifier's probabilities."""
    if verdict.newest.one_hot and verdict.newest.levels is None:
        return None
    try:
        return benchmark_of(run, verdict.newest.query_set)
    except ArtifactError:
        return None


def mark_announced(run: Run, change: Change) -> None:
    """Note that a change has been announced."""
    outcomes = {**_announced(run), change.suspect: change.verdict.outcome}
    # Below a key, as a suspect may be called like the seal.
    write_sealed(run.layout.watch / _ANNOUNCED_FILE, {_OUTCOMES: outcomes})


def _histories(run: Run, watchlist: Watchlist) -> dict[str, tuple[Observation, ...]]:
    return {suspect.name: read_history(_history_path(run, suspect.name)) for suspect in watchlist.suspects}


def _history_path(run: Run, suspect: str) -> Path:
    return run.layout.watch / f"{suspect}.jsonl"


def _announced(run: Run) -> dict[str, Outcome]:
    """Outcomes by suspect; those from before verdicts had levels in the words of ``FORMER_OUTCOMES``.

    Older files hold the outcomes alone, without a key above them.
    """
    path = run.layout.watch / _ANNOUNCED_FILE
    written = read_json(path, advice=_MOVE) if path.exists() else {}
    below = written.get(_OUTCOMES)
    noted: Mapping[str, bool | Outcome] = below if isinstance(below, dict) else written
    outcomes = {
        suspect: FORMER_OUTCOMES[outcome] if isinstance(outcome, bool) else outcome
        for suspect, outcome in noted.items()
    }
    if unknown := [outcome for outcome in outcomes.values() if outcome not in OUTCOMES]:
        raise ArtifactError(f"{path}: expected some of {', '.join(OUTCOMES)}, got {unknown[0]!r}; {_MOVE}")
    return outcomes
