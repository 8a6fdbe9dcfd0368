import pytest

from nf.core.errors import ArtifactError
from nf.monitoring import Observation, append_history, find_changes, read_history


def verdict(stolen, day=1):
    return Observation(f"2026-11-{day:02}T05:00:00+00:00", "a" * 64, 0.9 if stolen else 0.1, 0.5, stolen)


def silence(day=1):
    return Observation(f"2026-11-{day:02}T05:00:00+00:00", "a" * 64, error="no such file")


def test_what_is_appended_is_read(tmp_path):
    path = tmp_path / "watch" / "shop.jsonl"
    assert read_history(path) == ()
    for observation in (verdict(False, 1), silence(2), verdict(True, 3)):
        append_history(path, observation)
    assert read_history(path) == (verdict(False, 1), silence(2), verdict(True, 3))


def changes(announced, *history):
    return [(change.suspect, change.stolen) for change in find_changes({"shop": history}, announced)]


def test_a_suspect_counts_as_honest_until_announced_otherwise():
    assert changes({}) == []
    assert changes({}, verdict(False)) == []
    assert changes({}, verdict(True)) == [("shop", True)]
    assert changes({"shop": True}, verdict(True)) == []
    assert changes({"shop": True}, verdict(True, 1), verdict(False, 2)) == [("shop", False)]


def test_no_answer_changes_nothing_and_hides_no_change():
    assert changes({"shop": True}, verdict(True, 1), silence(2)) == []
    assert changes({}, verdict(True, 1), silence(2)) == [("shop", True)]
    assert changes({}, silence()) == []


def test_a_change_says_what_it_rests_on():
    (change,) = find_changes({"shop": (verdict(True),)}, {})
    assert change.to_json() == {
        "suspect": "shop",
        "verdict": "stolen",
        "previous": "not stolen",
        "score": 0.9,
        "threshold": 0.5,
        "query_set": "a" * 64,
        "at": "2026-11-01T05:00:00+00:00",
    }


@pytest.mark.parametrize("line", ["{", "3", '{"at": "x"}', '{"at": "x", "query_set": "y", "score": 1.0}'])
def test_a_damaged_history_is_not_written_over(tmp_path, line):
    path = tmp_path / "shop.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ArtifactError, match=r"shop.jsonl: expected one observation a line"):
        append_history(path, verdict(True))
    assert path.read_text() == line + "\n"
