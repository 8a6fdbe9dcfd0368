"""The order of stages: what waits, what runs side by side, what no longer begins."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from flows import dvc, pipeline
from flows.pipeline import _in_order, _Processes
from nf.core.errors import ConfigError

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
    monkeypatch.setattr(pipeline, "_run_side_by_side", lambda awaited, workers: ran.append(awaited) or [])
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


def test_all_processes_end_and_those_that_start_later_too():
    asleep = [sys.executable, "-c", "import time; time.sleep(300)"]
    running, later, gone = (subprocess.Popen(asleep) for _ in range(3))
    try:
        processes = _Processes()
        processes.add(running)
        processes.add(gone)
        processes.discard(gone)
        processes.end()
        processes.add(later)
        assert running.wait(timeout=30) == later.wait(timeout=30) == -signal.SIGTERM
        assert gone.poll() is None
    finally:
        for process in (running, later, gone):
            process.kill()
            process.wait()
