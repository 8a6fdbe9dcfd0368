"""How the parts of the GPU's script are made: in turn, beside each other, again where settings differ."""

import os
from functools import partial
from pathlib import Path

import pytest

from nf.core.errors import DataError
from nf.core.variants import VariantId
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def gpu_parts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_parts

    return gpu_parts


@pytest.fixture
def made(gpu_parts, tmp_path):
    """Make parts in a run of their own; returns what is missing."""
    from ledger import Ledger, Utilisation

    def make(*parts):
        run = Run.open("gpu-smoke", params=ROOT / "params.yaml", out=tmp_path)
        ledger = Ledger(run.layout.root / "ledger.json", Utilisation())
        return gpu_parts.work(run, list(parts), gpu_parts.Budget(), ledger)

    return make


def test_a_process_that_dies_holds_up_those_alone_that_need_it(gpu_parts, made, tmp_path):
    def part(name, make, *needs):
        return gpu_parts.Part(name, (tmp_path / name).exists, make, needs, beside=True)

    missing = made(
        part("a", partial(os._exit, 1)),
        part("b", partial(Path.touch, tmp_path / "b"), "a"),
        part("c", partial(Path.touch, tmp_path / "c")),
        gpu_parts.Part("d", (tmp_path / "d").exists, (tmp_path / "d").touch, ("c",)),
    )
    assert missing == dict.fromkeys("ab", "the process in which it was made died; it may have been short of memory")
    assert (tmp_path / "c").exists()
    assert (tmp_path / "d").exists()


def test_what_was_made_with_other_settings_is_made_again(gpu_parts, made, tmp_path):
    times = []

    def part(**settings):
        return gpu_parts.Part("a", lambda: bool(times), lambda: times.append(settings), settings=settings)

    for steps in (1, 1, 2, 2, 1):
        assert made(part(steps=steps)) == {}
    assert times == [{"steps": 1}, {"steps": 2}, {"steps": 1}]


def test_a_variant_is_made_again_where_files_are_still_to_be_exported(gpu_parts, tmp_path):
    run = Run.open("gpu-smoke", params=ROOT / "params.yaml", out=tmp_path)
    files = [run.layout.zoo / "summary.json", run.layout.onnx / "copies.csv", run.layout.variant(VariantId("none", 0))]
    for age, path in enumerate(files):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (age, age))
    made = {part.name: part for part in gpu_parts.parts(run, gpu_parts.Budget(), [], "sagan", ["none"])}
    assert made["variant@none"].done()
    os.utime(files[0], (9, 9))
    assert not made["variant@none"].done()


def test_a_part_in_several_files_is_refused(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from gpu import parquet

    (tmp_path / "cifar10").mkdir()
    for number in range(2):
        (tmp_path / "cifar10" / f"train-{number}.parquet").touch()
    with pytest.raises(DataError, match=r"expected one cifar10/train\*\.parquet in .*, got 2; join them"):
        parquet(tmp_path, ("cifar10",), None)
