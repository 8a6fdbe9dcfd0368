import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and they run on it")
def test_what_needs_a_gpu_passes_on_a_simulated_one():
    """In a process of its own, as the simulation reaches into all of PyTorch."""
    files = [path for path in TESTS.rglob("test_*.py") if "mark.gpu" in path.read_text() and path != Path(__file__)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "simulated_gpu", "-m", "gpu"]
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    result = subprocess.run(
        [*command, *map(str, files)],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert len(files) == 4
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout
