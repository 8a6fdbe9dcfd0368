"""``nf verify --report``, ``nf commit`` and ``nf replay``, on tables of answers."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from nf.cli import asking
from nf.cli.commit import commit
from nf.cli.replay import replay
from nf.cli.verify import verify
from nf.cli.words import UNREAD
from nf.core.calibration import Levels
from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import read_json, restore, sha256_file, write_json, write_sealed
from nf.core.queries import QuerySet
from nf.monitoring import IssuedSet, Ledger, note_seen
from tests.suspects.conftest import parse

Table = Callable[[int], Path]


def _typed(command: Any, *arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture
def folder(tmp_path: Path, calibrated: QuerySet) -> Path:
    calibrated.save(tmp_path / "set")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("matches", "status", "words"), [(20, 1, "STOLEN"), (8, 4, "STOLEN OR TRAINED ON YOUR DATA"), (0, 0, "NOT SHOWN")]
)
def test_the_outcome_is_printed_and_returned(folder: Path, table: Table, matches: int, status: int, words: str) -> None:
    code, printed = _typed(verify, table(matches), "--queries", folder)
    assert code == status
    assert printed.startswith(f"verdict        {words}\nindependent    p = ")
    assert "same data      p = " in printed
    assert "(level 1 %)" in printed
    assert "known errors   not measured" in printed


def test_a_report_is_written_and_replayed(folder: Path, table: Table, tmp_path: Path) -> None:
    report = tmp_path / "report"
    code, printed = _typed(verify, table(20), "--queries", folder, "--report", report, "--released", "2026-05-31")
    assert code == 1
    assert f"report         {report / 'index.html'}" in printed
    assert "committed      no: nothing shows that" in printed
    assert {path.name for path in report.iterdir()} == {"answers.safetensors", "evidence.json", "index.html"}
    assert json.loads((report / "evidence.json").read_text())["released"] == "2026-05-31"
    assert _typed(replay, report) == (0, _typed(replay, report)[1])
    code, printed = _typed(replay, report, table(20))
    assert code == 0
    assert "asked again    stolen, 100.0% of the answers as recorded" in printed
    assert "file           the same (SHA-256)" in printed
    code, printed = _typed(replay, report, table(0))
    assert code == 1
    assert "asked again    not shown, 0.0% of the answers as recorded" in printed
    assert "file           another (SHA-256)" in printed
    assert printed.endswith("judgement      NOT THE SAME\n")


def test_a_replay_may_name_the_set(folder: Path, table: Table, tmp_path: Path, calibrated: QuerySet) -> None:
    _typed(verify, table(20), "--queries", folder, "--report", tmp_path / "report")
    folder.rename(tmp_path / "moved")
    with pytest.raises(ArtifactError, match=r"expected the folder of a query set at .*set, .*; name it with --queries"):
        _typed(replay, tmp_path / "report")
    assert _typed(replay, tmp_path / "report", "--queries", tmp_path / "moved")[0] == 0


def test_a_replay_of_several_suspects_names_the_folder_of_one(folder: Path, table: Table, tmp_path: Path) -> None:
    suspects = tmp_path / "one.csv", tmp_path / "two.csv"
    for suspect in suspects:
        suspect.write_bytes(table(20).read_bytes())
    _typed(verify, *suspects, "--queries", folder, "--report", tmp_path / "report")
    with pytest.raises(ArtifactError, match=r"expected evidence of one suspect, got that of 2; .*001-one\.csv$"):
        _typed(replay, tmp_path / "report")
    assert _typed(replay, tmp_path / "report" / "001-one.csv")[0] == 0


def test_in_stages_no_more_is_asked_than_needed(folder: Path, table: Table, tmp_path: Path) -> None:
    code, printed = _typed(verify, table(20), "--queries", folder, "--sequential", "--report", tmp_path / "report")
    assert code == 1
    assert "asked          4 of 20 queries" in printed
    assert "corrected      p-values, for several looks" in printed
    assert _typed(replay, tmp_path / "report", table(20))[0] == 0
    assert (
        "4 of 20, as these sufficed; judged in stages after 4, 10, 20"
        in (tmp_path / "report" / "index.html").read_text()
    )


def test_stages_need_a_calibration(tmp_path: Path, table: Table, calibrated: QuerySet) -> None:
    replace(calibrated, calibration=None).save(tmp_path / "bare")
    with pytest.raises(ConfigError, match="sequential: expected a query set with a calibration"):
        _typed(verify, table(20), "--queries", tmp_path / "bare", "--sequential")


def test_a_promise_is_kept_and_looked_up(folder: Path, table: Table, tmp_path: Path, calibrated: QuerySet) -> None:
    code, printed = _typed(commit, folder, "--note", "for the record", "--out", tmp_path / "public.json")
    assert code == 0
    public = json.loads((tmp_path / "public.json").read_text())
    assert f"hash           {public['hash']}" in printed
    assert "openssl ts -query" in printed
    assert f"hash           {public['hash']}" in _typed(commit, folder)[1]  # the same again
    (tmp_path / "set.commitment" / "commitment.json.ots").write_bytes(b"stamp")
    printed = _typed(verify, table(20), "--queries", folder, "--released", "2020-01-01")[1]
    assert "by your own clock, NOT before the release on 2020-01-01" in printed
    assert "stamps         commitment.json.ots; check them" in printed
    printed = _typed(verify, table(20), "--queries", folder, "--released", "2999-01-01")[1]
    assert "by your own clock, before the release on 2999-01-01" in printed

    replace(calibrated, card={**calibrated.card, "threshold": 0.1}).save(folder)
    printed = _typed(verify, table(20), "--queries", folder)[1]
    assert "committed      not to this set: threshold changed since" in printed
    with pytest.raises(ArtifactError, match=r"expected no earlier commitment, got one of .* with another threshold"):
        _typed(commit, folder)


def test_the_opening_of_a_published_hash_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "set.commitment"
    _typed(commit, folder)
    opening = (place / "opening.json").read_bytes()
    (place / "commitment.json").rename(tmp_path / "published.json")
    with pytest.raises(ArtifactError, match=r"opening\.json: expected commitment\.json beside it, .* put back what"):
        _typed(commit, folder)
    assert (place / "opening.json").read_bytes() == opening


def test_a_damaged_promise_costs_no_queries(folder: Path, tmp_path: Path) -> None:
    _typed(commit, folder)
    (tmp_path / "set.commitment" / "opening.json").write_text("{}")
    with pytest.raises(ArtifactError, match="holds a damaged commitment"):
        _typed(verify, tmp_path / "nothing.onnx", "--queries", folder)


def test_evidence_is_not_overwritten_nor_lost(folder: Path, table: Table, tmp_path: Path) -> None:
    """Both are noticed before the suspect, which is not there, would be asked."""
    _typed(verify, table(20), "--queries", folder, "--report", tmp_path / "report")
    with pytest.raises(ArtifactError, match=r"expected a folder without evidence, found evidence.json; name another"):
        _typed(verify, tmp_path / "nothing.onnx", "--queries", folder, "--report", tmp_path / "report")
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="expected a folder for the evidence, got File exists"):
        _typed(verify, tmp_path / "nothing.onnx", "--queries", folder, "--report", tmp_path / "file")


def test_several_suspects_have_a_folder_of_evidence_each_which_is_not_overwritten(
    folder: Path, table: Table, tmp_path: Path
) -> None:
    places = [table(20).rename(tmp_path / "thief.csv"), table(0).rename(tmp_path / "honest.csv")]
    report = tmp_path / "report"
    status, _ = _typed(verify, *places, "--queries", folder, "--report", report)
    assert status == 1
    told = {path.name: json.loads((path / "evidence.json").read_text()) for path in report.iterdir()}
    assert {name: (each["outcome"], each["suspects"]) for name, each in told.items()} == {
        "001-thief.csv": ("stolen", 2),
        "002-honest.csv": ("not shown", 2),
    }
    assert all((path / "index.html").exists() for path in report.iterdir())
    assert "corrected for 2 suspects together" in (report / "001-thief.csv" / "index.html").read_text()
    with pytest.raises(ArtifactError, match="expected a folder without evidence"):
        _typed(verify, *places, "--queries", folder, "--report", report)


def test_in_stages_several_suspects_are_asked_on_until_the_evidence_suffices_for_all(
    folder: Path, table: Table, tmp_path: Path
) -> None:
    """A stop at the level of one suspect would lose the verdict once there are ten; and each replays as it was."""
    places = [table(20).rename(tmp_path / "thief.csv")]
    places += [table(0).rename(tmp_path / f"honest-{number}.csv") for number in range(9)]
    report = tmp_path / "report"
    status, printed = _typed(verify, *places, "--queries", folder, "--sequential", "--report", report)
    assert status == 1
    assert "1 STOLEN, 9 NOT SHOWN" in printed
    told = json.loads((report / "001-thief.csv" / "evidence.json").read_text())
    assert (told["suspects"], told["outcome"]) == (10, "stolen")
    assert told["independent"]["value"] > told["look_factor"] * told["independent"]["alone"]
    page = (report / "001-thief.csv" / "index.html").read_text()
    assert "corrected for 10 suspects together and for several looks" in page
    assert _typed(replay, report / "001-thief.csv") == (0, _typed(replay, report / "001-thief.csv")[1])
    assert _typed(replay, report / "001-thief.csv", tmp_path / "thief.csv")[0] == 0
    code, printed = _typed(replay, report / "001-thief.csv", tmp_path / "honest-0.csv")
    assert (code, "asked again    not shown" in printed) == (1, True)


def test_a_replay_notices_what_else_a_verdict_hangs_on(
    folder: Path, table: Table, tmp_path: Path, calibrated: QuerySet
) -> None:
    _typed(commit, folder)
    _typed(verify, table(20), "--queries", folder, "--report", tmp_path / "report")
    code, printed = _typed(replay, tmp_path / "report")
    assert (code, "by your own clock" in printed) == (0, True)
    assert calibrated.controls is not None
    other = replace(calibrated.controls, labels=np.roll(calibrated.controls.labels, 1))
    replace(calibrated, controls=other, card={**calibrated.card, "floor": 0.01}).save(folder)
    code, printed = _typed(replay, tmp_path / "report")
    assert code == 1
    assert "different      control images: " in printed
    assert "different      floor: " in printed
    assert "committed      not to this set: controls, floor changed since" in printed


def test_a_promise_of_a_set_that_was_seen_says_so(folder: Path, calibrated: QuerySet) -> None:
    ledger = Ledger(folder.parent)
    ledger.issue(IssuedSet(calibrated.digest, "naturalfinger", 1, "2026-11-01T00:00:00+00:00"))
    assert "seen " not in _typed(commit, folder)[1]
    note_seen(folder, calibrated.digest, "shop.onnx")
    assert "seen           by 1 suspect since " in _typed(commit, folder)[1]


def test_a_day_that_is_none_is_refused(folder: Path, table: Table) -> None:
    with pytest.raises(ConfigError, match="released: expected a day as in 2026-05-31, got 'May'"):
        _typed(verify, table(20), "--queries", folder, "--released", "May")


def test_no_verdict_has_a_report_and_no_replay(folder: Path, table: Table, tmp_path: Path) -> None:
    lines = table(20).read_text().splitlines()
    odd = tmp_path / "odd.csv"
    odd.write_text("\n".join([lines[0], *(f"{line.split(',')[0]},0" for line in lines[1:])]))
    code, _ = _typed(verify, odd, "--queries", folder, "--report", tmp_path / "report")
    assert code == 3
    assert "No verdict" in (tmp_path / "report" / "index.html").read_text()
    with pytest.raises(ArtifactError, match="expected evidence of a verdict, got the outcome 'no verdict'"):
        _typed(replay, tmp_path / "report")


def test_a_replay_notices_another_file_of_weights(graded: QuerySet, learned: str, tmp_path: Path) -> None:
    """The network's own file says nothing of them; what they hold does not matter to the answers of this one."""
    graded.save(tmp_path / "set")
    suspect, report = tmp_path / "s.onnx", tmp_path / "report"
    onnx.save_model(parse(learned), suspect, save_as_external_data=True, location="s.weights", size_threshold=0)
    assert _typed(verify, suspect, "--queries", tmp_path / "set", "--report", report)[0] == 1
    (weights,) = read_json(report / "evidence.json")["suspect"]["beside"]
    assert (weights["file"], weights["bytes"]) == ("s.weights", (tmp_path / "s.weights").stat().st_size)
    assert "file           the same (SHA-256)\n" in _typed(replay, report, suspect)[1]

    (tmp_path / "s.weights").write_bytes(bytes(weights["bytes"]))
    code, printed = _typed(replay, report, suspect)
    assert (code, "100.0% of the answers as recorded" in printed) == (0, True)
    assert "file           another (SHA-256): s.weights\n" in printed

    record = read_json(report / "evidence.json")
    del record["suspect"]["beside"]
    write_sealed(report / "evidence.json", record)
    code, printed = _typed(replay, report, suspect)
    assert code == 0
    assert "file           the same (SHA-256); of the weights beside it, this evidence of an older version" in printed


def test_what_a_suspect_is_is_read_before_it_is_asked(
    folder: Path, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspect, known = table(20), sha256_file(table(20))

    def swapped(cases: Any, *others: Any) -> Any:
        suspect.write_text("another")
        return judged(cases, *others)

    judged = asking.judged
    monkeypatch.setattr(asking, "judged", swapped)
    assert _typed(verify, suspect, "--queries", folder, "--report", tmp_path / "report")[0] == 1
    assert read_json(tmp_path / "report" / "evidence.json")["suspect"]["sha256"] == known


def test_whoever_sees_a_retired_set_in_a_replay_is_noted(folder: Path, table: Table, calibrated: QuerySet) -> None:
    ledger = Ledger(folder.parent)
    ledger.issue(IssuedSet(calibrated.digest, "naturalfinger", 1, "2026-11-01T00:00:00+00:00"))
    report = folder.parent / "report"
    _typed(verify, table(20), "--queries", folder, "--report", report)
    ledger.issue(IssuedSet("0" * 64, "naturalfinger", 2, "2026-12-01T00:00:00+00:00"))
    other = table(19)
    printed = _typed(replay, report, other)[1]
    assert "retired        2026-12-01T00:00:00+00:00; the ledger notes who sees the query set all the same\n" in printed
    assert str(other) in ledger.sets()[0].seen_by


def test_commands_to_paste_hold_any_folder(
    tmp_path: Path, calibrated: QuerySet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "my sets" / "it's $(one)"
    calibrated.save(folder)
    printed = _typed(commit, folder)[1]
    public = str(folder.with_name(f"{folder.name}.commitment") / "commitment.json")
    commands = [shlex.split(line, comments=True) for line in printed.splitlines() if line.startswith("  ")]
    assert commands[0] == [
        *("openssl", "ts", "-query", "-data", public, "-sha256", "-cert"),
        *("-out", f"{public}.tsq"),
    ]
    assert commands[1:3] == [["ots", "stamp", public], ["gpg", "--detach-sign", "--armor", public]]
    assert commands[3] == ["git", "tag", "-s", "commitment-1", "-F", public]
    assert shlex.split(restore(folder).split("`")[1]) == ["dvc", "checkout", "--force", str(folder)]
    monkeypatch.setattr("nf.core.queries.is_exposed", lambda path: True)
    QuerySet.load(folder)
    assert shlex.split(caplog.messages[-1].split("`")[1]) == ["chmod", "-R", "go=", str(folder)]


def test_error_rates_are_found_from_within_the_folder(
    table: Table, tmp_path: Path, calibrated: QuerySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run" / "fingerprints" / "naturalfinger"
    calibrated.save(folder)
    assert calibrated.calibration is not None
    rates = {name: {"count": 1, "total": 9} for name in ("independent_accused", "trained_accused", "missed")}
    metrics = {"query_set": calibrated.digest, "threshold": 0.6, "calibration": calibrated.calibration.digest}
    write_json(tmp_path / "run" / "metrics" / "naturalfinger.json", metrics | {"verdicts": {**rates, "thieves": {}}})
    suspect = table(20)
    for place, name in ((tmp_path, folder), (folder, "."), (folder.parent, "naturalfinger")):
        monkeypatch.chdir(place)
        assert "independent models accused: 1 of 9" in _typed(verify, suspect, "--queries", name)[1]


def test_a_replay_finds_the_set_from_anywhere(
    folder: Path, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspect = table(20)
    monkeypatch.chdir(tmp_path)
    assert _typed(verify, suspect, "--queries", folder.name, "--report", "report")[0] == 1
    monkeypatch.chdir(folder)
    assert _typed(replay, tmp_path / "report")[0] == 0


def test_levels_are_printed_as_they_are(table: Table, tmp_path: Path, calibrated: QuerySet) -> None:
    assert calibrated.calibration is not None
    strict = replace(calibrated.calibration, levels=Levels(0.005, 0.025))
    replace(calibrated, calibration=strict).save(tmp_path / "strict")
    printed = _typed(verify, table(20), "--queries", tmp_path / "strict")[1]
    assert "(level 0.5 %)" in printed
    assert "(level 2.5 %)" in printed
    printed = _typed(verify, table(20), table(0), "--queries", tmp_path / "strict")[1]
    assert "levels         0.5 % independent, 2.5 % same data, for all (Holm)" in printed
    twins = tuple(replace(model, group="thief" if model.group == "thief" else "twin") for model in strict.models)
    replace(calibrated, calibration=replace(strict, models=twins)).save(tmp_path / "twins")
    printed = _typed(verify, table(20), table(0), "--queries", tmp_path / "twins")[1]
    assert "levels         2.5 % same data, for all (Holm)" in printed


def test_another_note_than_was_published_is_refused(folder: Path) -> None:
    _typed(commit, folder, "--note", "first")
    assert _typed(commit, folder, "--note", "first")[0] == 0
    with pytest.raises(ConfigError, match=r"note: expected 'first', with which this set was committed at .*, got 'n"):
        _typed(commit, folder, "--note", "next")


def _nf_unread(*arguments: object, unread: str) -> int:
    """The status of ``nf`` in a process of its own, where whoever reads ``stdout`` or ``stderr`` has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from nf.cli import main; main()", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, unread: writing}
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, **streams)
    os.close(writing)
    assert b"Traceback" not in (done.stdout or b"") + (done.stderr or b"")
    return done.returncode


def test_where_nobody_reads_what_is_printed_the_status_accuses_nobody(
    folder: Path, table: Table, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    assert _nf_unread("verify", table(0), "--queries", folder, "--report", report, unread="stdout") == UNREAD
    assert UNREAD not in (0, 1, 2, 3, 4)
    assert {path.name for path in report.iterdir()} == {"answers.safetensors", "evidence.json", "index.html"}
    assert _nf_unread("replay", report, unread="stdout") == UNREAD
    assert _nf_unread("--help", unread="stdout") == UNREAD
    assert _nf_unread("verify", tmp_path / "nothing.csv", "--queries", folder, unread="stderr") == UNREAD
    assert _nf_unread("verify", table(0), table(20), "--queries", folder, unread="stderr") in (1, 120)
