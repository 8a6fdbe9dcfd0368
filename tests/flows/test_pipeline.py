"""The order of stages: what waits, what runs side by side, what no longer begins, and how all end when told to."""

import multiprocessing
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from flows import dvc, pipeline
from flows.pipeline import _in_order, _lines, _Processes
from nf.core.errors import ConfigError, UnknownNameError

AWAITED = {
    "data": [],
    "zoo": ["data"],
    "gan": ["data"],
    "onnx": ["zoo"],
    "queries": ["zoo", "gan"],
    "page": ["queries"],
}


class Runner:
    """Ends every stage at once and remembers the order in which they began."""

    def __init__(self, failing=()):
        self.failing, self.begun = failing, []

    def submit(self, name):
        self.begun.append(name)
        future = SimpleNamespace(
            wait=lambda: None, state=SimpleNamespace(is_completed=lambda: name not in self.failing)
        )
        return SimpleNamespace(add_done_callback=lambda done: done(future))


def test_each_stage_begins_once_and_after_those_that_it_awaits():
    runner = Runner()
    assert _in_order(AWAITED, 2, runner.submit) == []
    assert sorted(runner.begun) == sorted(AWAITED)
    for name, others in AWAITED.items():
        assert all(runner.begun.index(other) < runner.begun.index(name) for other in others)


@pytest.mark.parametrize("workers", [1, 3])
def test_after_a_failure_only_those_under_way_are_finished(workers):
    """Of eight stages that wait for nobody as many begin as there are workers; the first of them fails."""
    runner = Runner(failing={"0"})
    assert _in_order({str(number): [] for number in range(8)}, workers, runner.submit) == ["0"]
    assert runner.begun == [str(number) for number in range(workers)]


def test_dvc_is_asked_once_what_is_stale(monkeypatch):
    """By whoever wants to know first: a worker that is given the flow alone asks itself."""
    asked, ran = [], []
    monkeypatch.setattr(pipeline, "stale_stages", lambda targets: asked.append(targets) or AWAITED)
    monkeypatch.setattr(pipeline, "_run_side_by_side", lambda awaited, workers, board: ran.append(awaited) or [])
    pipeline.reproduce.fn(["page"], {"page": []})
    assert (asked, ran) == ([], [{"page": []}])
    pipeline.reproduce.fn(["page"])
    assert (asked, ran) == ([["page"]], [{"page": []}, AWAITED])


def test_a_profile_that_lacks_what_is_listed_runs_nothing_but_targets(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((dvc.ROOT / "params.yaml").read_text().replace("akh, random]", "akh, rnd]"))
    monkeypatch.setattr(dvc, "ROOT", tmp_path)
    with pytest.raises(ConfigError, match=r"schemes: expected names from .*, got rnd; shorten the list"):
        pipeline.reproduce.fn()
    assert dvc.checked_profile(["report"]).name == "digits"


@pytest.mark.parametrize("stage", ["fingerprint@magic", "gan@magic", "variant@magic-0"])
def test_a_stage_about_what_the_profile_lacks_is_refused_before_others_run(monkeypatch, stage):
    """`make repro` is about the first scheme and GAN of params.yaml, whether the profile in use has them or not."""
    monkeypatch.setattr(pipeline, "Board", lambda *_: pytest.fail("it began"))
    with pytest.raises(UnknownNameError, match="of profile 'digits' 'magic': expected one of"):
        pipeline.reproduce.fn(["report"], {"zoo": [], stage: ["zoo"]})


ASLEEP = "import time; time.sleep(300)"
STARTS_ANOTHER = f"import subprocess, sys; other = subprocess.Popen([sys.executable, '-c', {ASLEEP!r}]); "


def start(code, **options):
    """A process that leads a group, as DVC does, with a pipe for what it writes."""
    return subprocess.Popen([sys.executable, "-c", code], process_group=0, stdout=subprocess.PIPE, text=True, **options)


@pytest.fixture
def started():
    """``start``, whose processes are killed after the test, with all of their groups."""
    processes = []

    def starting(code, **options):
        processes.append(start(code, **options))
        return processes[-1]

    yield starting
    for process in processes:
        pipeline._signal_group(process, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_all_processes_end_and_those_that_start_later_too(started):
    running, later, gone = (started(ASLEEP) for _ in range(3))
    processes = _Processes()
    processes.add(running)
    processes.add(gone)
    processes.discard(gone)
    processes.end()
    processes.add(later)
    assert running.wait(timeout=30) == later.wait(timeout=30) == -signal.SIGTERM
    assert gone.poll() is None


def test_what_a_process_started_ends_with_it(started):
    """A stage in its first second does not yet see to it that it dies with DVC: both are told."""
    process = started(f"{STARTS_ANOTHER} print('started', flush=True); other.wait()")
    assert process.stdout.readline() == "started\n"
    processes = _Processes()
    processes.add(process)
    processes.end()
    assert process.wait(timeout=30) == -signal.SIGTERM
    assert process.stdout.read() == ""  # the end of the pipe: nobody holds it


def test_lines_end_with_the_process_though_another_holds_the_pipe(started):
    process = started(f"{STARTS_ANOTHER} print('first\\nlast', end='')")
    assert list(_lines(process)) == [b"first\n", b"last"]
    assert process.wait(timeout=30) == 0


def test_lines_come_as_they_are_written(started):
    """Whole ones: those of several stages are shown side by side."""
    process = started(
        "import sys; print('a', end=' ', flush=True); input(); print('b'); input()", stdin=subprocess.PIPE
    )
    lines = _lines(process)
    process.stdin.write("\n\n")
    process.stdin.flush()
    assert next(lines) == b"a b\n"
    process.stdin.close()
    assert list(lines) == []


def _wait_for_ever(process):
    processes = _Processes()
    processes.add(process)
    processes.leave_within(0.2)
    time.sleep(300)


def test_a_process_leaves_in_time_whatever_it_waits_for(started):
    asleep = started(ASLEEP)
    leaving = multiprocessing.get_context("fork").Process(target=_wait_for_ever, args=(asleep,))
    leaving.start()
    leaving.join(30)
    assert leaving.exitcode == 128 + signal.SIGTERM
    assert asleep.wait(timeout=30) == -signal.SIGKILL
