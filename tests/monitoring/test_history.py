import json

import pytest

from nf.core.calibration import Levels
from nf.core.errors import ArtifactError
from nf.monitoring import Observation, append_history, read_history

AT = "2026-11-01T05:00:00+00:00"
CALIBRATED = Observation(AT, "a" * 64, 0.9, 0.5, "stolen", 0.99, 0.0001, 0.002, Levels(0.01, 0.05))
PLAIN = Observation(AT, "a" * 64, 0.1, 0.5, "not shown")
SILENT = Observation(AT, "a" * 64, error="no such file")


def test_what_is_appended_is_read(tmp_path):
    path = tmp_path / "watch" / "shop.jsonl"
    assert read_history(path) == ()
    for observation in (PLAIN, SILENT, CALIBRATED):
        append_history(path, observation)
    assert read_history(path) == (PLAIN, SILENT, CALIBRATED)


def former(stolen, error=None):
    """A line as it was written before verdicts had levels."""
    known = (None, None) if stolen is None else (0.9, 0.5)
    values = {"at": AT, "query_set": "a" * 64, "stolen": stolen, "one_hot": False, "error": error}
    return json.dumps({**values, "score": known[0], "threshold": known[1]})


def test_lines_from_before_levels_are_read_and_kept(tmp_path):
    """A threshold alone cannot tell a thief from a model that learned from the same data."""
    path = tmp_path / "shop.jsonl"
    path.write_text("\n".join([former(True), former(False), former(None, "no such file")]))
    append_history(path, CALIBRATED)
    outcomes = [observation.outcome for observation in read_history(path)]
    assert outcomes == ["stolen or trained on your data", "not shown", None, "stolen"]
    assert read_history(path)[2].error == "no such file"
    assert '"stolen":' not in path.read_text()


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "3",
        '{"at": "x"}',
        '{"at": "x", "query_set": "y", "score": 1.0}',
        '{"at": "x", "query_set": "y", "score": 1.0, "threshold": 0.5, "stolen": "yes"}',
        '{"at": "x", "query_set": "y", "score": 1.0, "threshold": 0.5, "outcome": "guilty"}',
    ],
)
def test_a_damaged_history_is_not_written_over(tmp_path, line):
    path = tmp_path / "shop.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ArtifactError, match=r"shop.jsonl: expected one observation a line"):
        append_history(path, PLAIN)
    assert path.read_text() == line + "\n"
