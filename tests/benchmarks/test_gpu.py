"""The script of the paper's setting, at its smallest, on the CPU: cut by the clock, then gone on with to the end."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def call(out, *options):
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", "--profile", "gpu-smoke", "--out", out]
    result = subprocess.run(
        [*command, "--schemes", "naturalfinger", "akh", *options],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((out / "record" / "gpu-smoke.json").read_text()), result.stdout


def test_it_stops_on_time_and_goes_on_to_the_end(tmp_path):
    record, said = call(tmp_path, "--max-seconds", "0")
    assert set(record["missing"].values()) == {"out of time"}
    assert "0 of 12 parts are there" in said
    record, said = call(tmp_path)
    assert record["missing"] == {}
    assert set(record["schemes"]) == set(record["detection"]) == {"naturalfinger", "akh"}
    assert 0 <= record["schemes"]["naturalfinger"]["aruc_low"] <= record["schemes"]["naturalfinger"]["aruc"]
    assert record["zoo"]["accuracies"].keys() == {path.name for path in (tmp_path / "gpu-smoke" / "zoo").glob("*/")}
    assert record["parts"]["zoo"]["seconds"] > 0
    assert (tmp_path / "record" / "queries.png").exists()
    again, said = call(tmp_path)
    assert again["parts"] == record["parts"]  # nothing was made anew
    assert "12 of 12 parts are there" in said
