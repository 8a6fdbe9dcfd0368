"""Work on a schedule: ``refingerprint`` issues a new query set, ``watch`` verifies every suspect of the list."""

import secrets
from pathlib import Path

from flows.environment import ROOT, configure

configure()

from prefect import flow, get_run_logger  # noqa: E402 - the environment is read at import

from flows.dvc import dvc  # noqa: E402
from flows.notify import call_webhook, emit_change  # noqa: E402
from flows.tasks import make_task  # noqa: E402
from nf.core.config import load_profile  # noqa: E402
from nf.core.errors import NFError  # noqa: E402
from nf.core.paths import Layout  # noqa: E402
from nf.monitoring import Change, Ledger, Watchlist, load_watchlist, open_watched  # noqa: E402
from nf.stages.issue import issue  # noqa: E402
from nf.stages.run import Run  # noqa: E402
from nf.stages.watch import (  # noqa: E402
    benchmark_of,
    draw_watch,
    mark_announced,
    watch_changes,
    watch_suspect,
    watch_verdicts,
)

# What JSON readers everywhere keep exactly.
_SEED_BITS = 53
_WEBHOOK_RETRIES = (2, 10, 60)


@flow(name="refingerprint", validate_parameters=False)
def refingerprint(profile: str | None = None, scheme: str | None = None, seed: int | None = None) -> str:
    """Issue a new query set, retire the old one, keep both in DVC, pushed where a remote is set, and log what changed.

    Args:
        profile: profile of ``params.yaml``; by default the one that the file names.
        scheme: name of the scheme that makes the set; by default the profile's first.
        seed: seed of the set; by default one that nobody can guess. The ledger keeps it.

    Returns:
        Digest of the new set.
    """
    from flows.tracking import log_refingerprint  # MLflow takes seconds to import

    run = _open(profile)
    chosen = scheme or next(iter(run.profile.schemes))
    with run.stage("refingerprint"):
        issued = make_task(issue, "issue")(run, chosen, secrets.randbits(_SEED_BITS) if seed is None else seed)
    try:
        make_task(_version, "dvc")(run.layout.issued)
    finally:  # a remote that is away costs no run in MLflow
        make_task(log_refingerprint, "mlflow")(run, issued)
    return str(issued.digest)


@flow(name="watch", validate_parameters=False)
def watch(profile: str | None = None, watchlist: str = "watchlist.yaml") -> None:
    """Verify every suspect of the list with the query set in use, draw their histories and announce changed verdicts.

    Where a newer set takes its place meanwhile, the suspects that are left are asked with that one. Verdicts are
    corrected for the length of the list and for repeated sets. Who has seen the set stands in the ledger, which DVC
    gets as after ``refingerprint``; MLflow gets a run.

    Args:
        profile: profile of ``params.yaml``; by default the one that the file names.
        watchlist: path of the watch list, relative to the project.

    Raises:
        NFError: a change could not be announced, and will be tried again by the next run; or another run is watching.
    """
    run, path = _open(profile), ROOT / watchlist
    listed = load_watchlist(path)
    digest = Ledger(run.layout.issued).current().digest
    # What is amiss on the owner's side stops all before the first has seen a query.
    benchmark_of(run, digest)
    watch_changes(run, listed)  # reads histories, and what was announced
    for suspect in listed.suspects:
        open_watched(suspect, path.parent)
    with run.lock_stage("watch"):
        _watch(run, listed, digest, path.parent)


def _watch(run: Run, listed: Watchlist, digest: str, folder: Path) -> None:
    """``digest``: of the query set in use as the watch begins."""
    ask = make_task(watch_suspect, "ask", task_run_name="ask-{suspect.name}")
    for suspect in listed.suspects:
        observation = ask(run, suspect, folder)
        if observation.query_set != digest:
            get_run_logger().warning(
                "the query set %s was retired while this watch was at work: from %s on, suspects are asked with %s",
                *(digest[:16], suspect.name, observation.query_set[:16]),
            )
            digest = observation.query_set
        alone = observation.error or f"{observation.outcome} by this verdict alone, at {observation.score:.3f}"
        get_run_logger().info("%s: %s", suspect.name, alone)
    make_task(draw_watch, "draw")(run, listed)
    announce = make_task(
        _announce, "announce", retries=len(_WEBHOOK_RETRIES), retry_delay_seconds=list(_WEBHOOK_RETRIES)
    )
    try:
        for change in watch_changes(run, listed):
            announce(run, change)
    finally:  # also if nobody could be told; not where a file could not be read, as damage would be versioned, too
        try:
            make_task(_version, "dvc")(run.layout.issued)
        finally:
            make_task(_log, "mlflow")(run, listed)


def _log(run: Run, listed: Watchlist) -> None:
    from flows.tracking import log_watch  # MLflow takes seconds to import

    issued = Ledger(run.layout.issued).current()
    log_watch(run, issued, watch_verdicts(run, listed), benchmark_of(run, issued.digest))


def _announce(run: Run, change: Change) -> None:
    call_webhook({"profile": run.profile.name, **change.to_json()})
    emit_change(run.profile.name, change)
    mark_announced(run, change)


def _version(folder: Path) -> None:
    """Put the issued sets under DVC: ``issued.dvc`` beside them is what git keeps."""
    _dvc("add", str(folder))
    if dvc("remote", "default", "--quiet") == 0:
        _dvc("push", f"{folder}.dvc")


def _dvc(*command: str) -> None:
    if status := dvc(*command):
        raise NFError(f"expected `dvc {' '.join(command)}` to succeed, it ended with status {status}")


def _open(profile: str | None) -> Run:
    """The profile of this project, wherever the worker has its working directory."""
    settings = load_profile(ROOT / "params.yaml", profile)
    return Run(settings, Layout(ROOT / "out" / settings.name))
