"""The first mutants of each kind; ``python -m tests.faults.hostile`` makes thousands of others."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.faults import hostile

MIB = 1 << 20


@pytest.fixture(scope="module")
def runtimes() -> None:
    """Imported before processes are forked that use them."""
    import onnxruntime  # noqa: F401

    pytest.importorskip("openvino")
    pytest.importorskip("ai_edge_litert.interpreter")


@pytest.mark.usefixtures("runtimes")
@pytest.mark.parametrize("kind", hostile.KINDS)
def test_the_files_that_mutants_are_made_of_are_answered(kind: str, tmp_path: Path) -> None:
    files = hostile.KINDS[kind]()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    asked = hostile.ask(tmp_path / next(iter(files)), 1)
    assert (asked.outcome, asked.traceback) == ("answered", ""), asked.message
    assert 0 < asked.memory < 2000 * MIB


def test_a_mutant_is_known_by_seed_and_number(tmp_path: Path) -> None:
    made = []
    for number in (3, 3, 4):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        hostile.make("onnx", 0, number, folder)
        made.append((folder / "suspect.onnx").read_bytes())
    assert made[0] == made[1] != made[2]


@pytest.mark.usefixtures("runtimes")
def test_mutants_lead_to_no_traceback_and_a_run_that_is_cut_goes_on(tmp_path: Path, capsys) -> None:
    record = tmp_path / "hostile.json"
    hostile.run(20, 0, record)
    found = hostile.run(40, 0, record)
    assert found["mutants"] == sum(found["outcomes"].values()) == 40
    assert found["faults"] == []
    assert set(found["by_kind"]) == set(hostile.KINDS)
    assert sum(sum(counts.values()) for counts in found["by_kind"].values()) == 40
    assert capsys.readouterr().out.startswith("20 {")


@pytest.mark.usefixtures("runtimes")
@pytest.mark.parametrize("bomb", ["memory bomb", "folding bomb", "output bomb", "batch bomb", "many outputs"])
def test_bombs_stay_within_the_bound(bomb: str, tmp_path: Path) -> None:
    path, shared = tmp_path / "suspect.onnx", psutil.Process().memory_info().rss
    for seed in range(2):
        path.write_bytes(hostile.BOMBS[bomb](np.random.default_rng(seed)).SerializeToString())
        asked = hostile.ask(path, seed)
        assert asked.outcome in ("answered", "refused", "no verdict", "late", "crashed"), asked.message
        assert asked.traceback == ""
        assert asked.memory < shared + 1100 * MIB  # a gibibyte of its own, and what it shares with this process
