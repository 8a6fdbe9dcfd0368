import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent

# Two streams: what one makes, the other reads, and the first one changes.
STREAMS = """
import torch

def share(waits):
    first, second = torch.cuda.current_stream(), torch.cuda.Stream()
    for _ in range(2):
        made = torch.ones(4, device="cuda")
        if waits != "first":
            second.wait_stream(first)
        with torch.cuda.stream(second):
            read = made + 1
        if waits != "second":
            first.wait_stream(second)
        made.zero_()

for waits in ("both", "first", "second", "both"):
    try:
        share(waits)
        print(waits, "no race")
    except RuntimeError as error:
        print(waits, error)
"""


def test_a_race_between_streams_is_refused(tmp_path):
    script = tmp_path / "streams.py"
    script.write_text(STREAMS)
    command = [sys.executable, str(TESTS / "simulated_gpu.py"), str(script)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    both, first, second, after = result.stdout.splitlines()
    assert both == after == "both no race"
    assert first.startswith("first a race: a kernel of another stream")
    assert second.startswith("second a race: a kernel of another stream")


def test_a_module_runs_on_it(tmp_path):
    (tmp_path / "made_there.py").write_text("import torch\nprint(torch.ones(1).cuda().device)\n")
    command = [sys.executable, str(TESTS / "simulated_gpu.py"), "-m", "made_there"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "cuda:0\n"), result.stderr


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
