"""What is kept of the GPU's utilisation."""

import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = str(Path(__file__).resolve().parents[2] / "benchmarks")


@pytest.fixture
def utilisation(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from ledger import Utilisation

    return Utilisation


def test_each_line_with_a_number_is_a_sample(utilisation):
    started = time.perf_counter()
    with utilisation((sys.executable, "-uc", r"print('50\n[N/A]\n 70 \n'); import time; time.sleep(60)")) as found:
        deadline = started + 60
        while len(found.since(started)) < 2 and time.perf_counter() < deadline:
            time.sleep(0.05)
        assert found.since(started) == [50.0, 70.0]
        assert found.since(time.perf_counter()) == []


def test_a_machine_without_the_command_has_none(utilisation):
    with utilisation(("no-such-command",)) as found:
        assert found.since(0) == []
