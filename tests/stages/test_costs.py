"""What is kept of a run's seconds and of the GPU's utilisation."""

import sys
import time
from pathlib import Path

import pytest

from nf.core.files import read_json
from nf.stages.costs import WHOLE, CostLog, Utilisation
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parents[2]


def test_each_line_with_a_number_is_a_sample():
    started = time.perf_counter()
    with Utilisation((sys.executable, "-uc", r"print('50\n[N/A]\n 70 \n'); import time; time.sleep(60)")) as found:
        deadline = started + 60
        while len(found.since(started)) < 2 and time.perf_counter() < deadline:
            time.sleep(0.05)
        assert found.since(started) == [50.0, 70.0]
        assert found.since(time.perf_counter()) == []


def test_a_machine_without_the_command_has_none():
    with Utilisation(("no-such-command",)) as found:
        assert found.since(0) == []


@pytest.fixture
def run(tmp_path):
    return Run.open("gpu-smoke", params=ROOT / "params.yaml", out=tmp_path)


def test_calls_add_up_also_those_that_fail_and_over_processes(run):
    costs = CostLog(run, Utilisation())
    with costs.entry(WHOLE), costs.entry("zoo"):
        pass
    with pytest.raises(KeyError), costs.entry("zoo"):
        raise KeyError
    again = CostLog(run, Utilisation())
    assert again.parts.keys() == {"zoo"}
    assert again.parts["zoo"]["calls"] == 2
    assert again.whole == read_json(run.layout.root / "costs.json")[WHOLE]


def test_of_two_runs_at_once_neither_loses_what_the_other_counts(run):
    one, other = CostLog(run, Utilisation()), CostLog(run, Utilisation())
    with one.entry(WHOLE), one.entry("zoo"), other.entry(WHOLE), other.entry("gan@sagan"):
        pass
    assert one.parts == other.parts
    assert one.parts.keys() == {"zoo", "gan@sagan"}
    assert one.whole["calls"] == 2
