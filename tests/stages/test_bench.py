"""All schemes of a profile in one go."""

from pathlib import Path

import pytest

from nf.core.errors import UnknownNameError
from nf.stages.bench import bench
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parents[2]


def test_a_scheme_that_there_is_not_is_named_before_anything_begins(tmp_path):
    run = Run.open("smoke", params=ROOT / "params.yaml", out=tmp_path)
    with pytest.raises(UnknownNameError, match="unknown scheme of profile 'smoke' 'ranom': expected one of"):
        bench(run, ["random", "ranom"])
    assert list(tmp_path.iterdir()) == []
