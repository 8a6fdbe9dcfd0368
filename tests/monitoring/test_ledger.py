"""The ledger: one set in use, who saw it, and what is retired."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from nf.core.errors import ArtifactError
from nf.monitoring import IssuedSet, Ledger, note_seen


def made(digest, at="2026-11-01T03:00:00+00:00", seed=7):
    return IssuedSet(digest, "naturalfinger", seed, at)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "issued")


def test_a_set_is_fresh_then_shown_then_retired(ledger):
    ledger.issue(made("a" * 64))
    assert [issued.status for issued in ledger.sets()] == ["fresh"]
    ledger.show("a" * 64, "shop", "2026-11-02T00:00:00+00:00")
    assert ledger.current().status == "shown"
    ledger.issue(made("b" * 64, "2026-11-08T03:00:00+00:00"))
    old, new = ledger.sets()
    assert (old.status, old.burnt_at, new.status) == ("retired", "2026-11-08T03:00:00+00:00", "fresh")
    assert ledger.current() == new


def test_who_saw_a_set_first_stays(ledger):
    ledger.issue(made("a" * 64))
    for at in ("2026-11-02", "2026-11-03"):
        ledger.show("a" * 64, "shop", at)
    ledger.show("a" * 64, "bank", "2026-11-03")
    assert ledger.current().seen_by == {"shop": "2026-11-02", "bank": "2026-11-03"}


def test_a_retired_set_keeps_its_day_and_is_not_shown(ledger):
    for number, letter in enumerate("abc"):
        ledger.issue(made(letter * 64, f"2026-11-0{number + 1}"))
    assert [issued.burnt_at for issued in ledger.sets()] == ["2026-11-02", "2026-11-03", None]
    with pytest.raises(ArtifactError, match="expected a query set that is not retired, got aaaaaaaaaaaaaaaa"):
        ledger.show("a" * 64, "shop", "2026-11-04")


def test_who_sees_a_retired_set_all_the_same_is_noted(ledger, tmp_path):
    for number, letter in enumerate("ab"):
        ledger.issue(made(letter * 64, f"2026-11-0{number + 1}"))
    assert note_seen(ledger.folder("b" * 64), "b" * 64, "shop") is None
    with pytest.raises(ArtifactError, match="expected a query set that is not retired"):
        note_seen(ledger.folder("a" * 64), "a" * 64, "shop")
    assert note_seen(ledger.folder("a" * 64), "a" * 64, "shop", even_retired=True) == "2026-11-02"
    assert [set(issued.seen_by) for issued in ledger.sets()] == [{"shop"}, {"shop"}]
    assert note_seen(tmp_path / "elsewhere" / "set", "a" * 64, "shop") is None


def test_the_same_set_is_not_issued_twice(ledger):
    ledger.issue(made("a" * 64))
    with pytest.raises(ArtifactError, match="choose another seed than 7"):
        ledger.issue(made("a" * 64))
    assert ledger.current().status == "fresh"


def test_no_set_to_ask_with(ledger):
    with pytest.raises(
        ArtifactError, match="expected a query set that is not retired, found none; run `refingerprint`"
    ):
        ledger.current()


def test_a_damaged_ledger_is_an_error_and_stays_as_it_is(ledger, tmp_path):
    path = tmp_path / "issued" / "ledger.json"
    path.parent.mkdir()
    path.write_text('{"sets": 3}')
    with pytest.raises(ArtifactError, match="expected a list under 'sets', got 3"):
        ledger.issue(made("a" * 64))
    assert json.loads(path.read_text()) == {"sets": 3}
    path.write_text('{"sets": [{"digest": 1}]}')
    with pytest.raises(
        ArtifactError, match=r"sets\[0\]\.digest: expected str, got 1; restore it with `dvc checkout --force .*ledger"
    ):
        ledger.sets()
    path.write_text("half a led")
    with pytest.raises(ArtifactError, match=r"expected JSON in .*; restore it with `dvc checkout --force .*ledger"):
        ledger.sets()


def test_two_at_once_do_not_lose_each_others_lines(ledger, tmp_path):
    ledger.issue(made("a" * 64))

    def show(name):
        Ledger(tmp_path / "issued").show("a" * 64, name, "2026-11-02")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(show, [f"suspect-{number}" for number in range(40)]))
    assert len(ledger.current().seen_by) == 40
