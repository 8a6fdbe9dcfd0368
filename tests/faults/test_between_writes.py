"""Watching and issuing, killed before each of their writes in turn: what is there then, and after another run."""

import signal
import sys
import traceback
from multiprocessing import get_context

import pytest

from benchmarks.load import ROOT, issue, query_set, serving, watchlist, weights
from nf.core.files import read_json
from nf.core.queries import QuerySet
from nf.monitoring import Ledger, read_history
from nf.stages.run import Run
from nf.stages.watch import benchmark_of, draw_watch, mark_announced, watch_changes, watch_suspect
from tests.faults.writes import kill_before

FRESH = get_context("forkserver")  # its processes have no threads of pytest's
FRESH.set_forkserver_preload([__name__])
LAST = weights(10, 0)
MOST_WRITES = 100


def open_run(folder):
    return Run.open("smoke", params=ROOT / "params.yaml", out=folder)


def watch(folder, address):
    """What the flow does, but for Prefect, DVC, MLflow and whom it tells."""
    run, listed = open_run(folder), watchlist(address, 1)
    with run.lock_stage("watch"):
        for suspect in listed.suspects:
            watch_suspect(run, suspect, folder)
        draw_watch(run, listed)
        for change in watch_changes(run, listed):
            mark_announced(run, change)


def issue_second(folder):
    """What the stage does after queries are made."""
    run = open_run(folder)
    with run.stage("refingerprint"):
        issue(run, query_set(20, LAST, seed=1), 1)


def killed_before(write, work, *arguments):
    kill_before(write)
    try:
        work(*arguments)
    except BaseException:
        traceback.print_exc()
        sys.exit(1)


def killed_everywhere(tmp_path, work, *arguments):
    """Folders in which the work was killed, at one write further each; and one in which it was left alone."""
    for write in range(MOST_WRITES):
        folder = tmp_path / str(write)
        issue(open_run(folder), query_set(20, LAST, seed=0), 0)
        process = FRESH.Process(target=killed_before, args=(write, work, folder, *arguments))
        process.start()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL)
        yield folder, process.exitcode == 0
        if process.exitcode == 0:
            return


def half_written(folder):
    return list(folder.rglob("*.tmp"))


def without_times(folder):
    """What the last watch found."""
    run = open_run(folder)
    verdicts = read_json(run.layout.watch / "verdicts.json")["suspects"]
    announced = read_json(run.layout.watch / "announced.json")
    return [{key: value for key, value in each.items() if key not in ("at", "since")} for each in verdicts], announced


@pytest.fixture(scope="module")
def served():
    with serving(LAST) as address:
        yield address


def test_a_watch_that_is_killed_between_any_two_writes_is_made_up_for_by_the_next(tmp_path, served):
    found = []
    for folder, _ in killed_everywhere(tmp_path, watch, served):
        run = open_run(folder)
        seen_by = Ledger(run.layout.issued).current().seen_by
        for suspect in watchlist(served, 1).suspects:
            if read_history(run.layout.watch / f"{suspect.name}.jsonl"):
                assert suspect.name in seen_by
        watch(folder, served)
        assert not half_written(folder)
        assert set(Ledger(run.layout.issued).current().seen_by) == {"shop-0"}
        found.append(without_times(folder))
    assert len(found) > 4
    assert all(each == found[-1] for each in found)


def test_a_query_set_is_issued_whole_or_not_at_all(tmp_path):
    kinds = set()
    for folder, whole in killed_everywhere(tmp_path, issue_second):
        ledger = Ledger(open_run(folder).layout.issued)
        sets = ledger.sets()
        kinds.add(len(sets))
        assert len(sets) == 2 or not whole
        QuerySet.load(ledger.folder(ledger.current().digest))
        benchmark_of(open_run(folder), ledger.current().digest)
        if len(sets) == 1:
            issue_second(folder)
        assert [each.status for each in ledger.sets()] == ["retired", "fresh"]
        assert not half_written(open_run(folder).layout.issued)
    assert kinds == {1, 2}
