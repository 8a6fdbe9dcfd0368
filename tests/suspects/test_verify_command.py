"""``nf verify``: what it looks at before the suspect has seen a query."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from nf.cli import BUG, main
from nf.cli.verify import verify
from nf.cli.words import UNREAD
from nf.core.controls import Controls
from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import write_json
from nf.core.queries import QuerySet
from nf.core.sheets import image_name
from nf.monitoring import IssuedSet, Ledger
from nf.suspects import OnnxSuspect

Write = Callable[[str], Path]


def _metrics(queries: QuerySet, accused: int) -> dict[str, Any]:
    counts = {"independent_accused": (accused, 9), "trained_accused": (3, 7), "missed": (1, 8)}
    verdicts = {name: {"count": count, "total": total} for name, (count, total) in counts.items()}
    return {
        "query_set": queries.digest,
        "threshold": queries.card["threshold"],
        "calibration": None,
        "verdicts": {**verdicts, "thieves": {}},
    }


def _verify(*arguments: object) -> str:
    done = CliRunner().invoke(verify, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code in (0, 1, 4)
    return done.output


@pytest.fixture
def unasked(tmp_path: Path) -> Path:
    """A suspect that is not there, which is another error as soon as it is asked."""
    return tmp_path / "nothing.onnx"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scheme": None}, "expected the name of a scheme, got None"),
        ({"threshold": 2}, r"expected a threshold in \[0, 1\], got 2"),
    ],
)
def test_a_card_that_allows_no_verdict_costs_no_queries(
    queries: QuerySet, unasked: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    replace(queries, card={**queries.card, **change}).save(tmp_path / "queries")
    with pytest.raises(ArtifactError, match=message):
        _verify(unasked, "--queries", tmp_path / "queries")


def test_metrics_of_other_queries_cost_no_queries(queries: QuerySet, unasked: Path, tmp_path: Path) -> None:
    queries.save(tmp_path / "queries")
    write_json(tmp_path / "metrics.json", {**_metrics(queries, 0), "query_set": "0" * 64})
    with pytest.raises(ArtifactError, match=r"expected the query_set [0-9a-f]{64}, got 0{64}"):
        _verify(unasked, "--queries", tmp_path / "queries", "--metrics", tmp_path / "metrics.json")


def test_error_rates_of_an_issued_set_lie_in_its_folder(
    queries: QuerySet, write: Write, linear: str, tmp_path: Path
) -> None:
    """Those of the run, which are of other queries, are for its own query set."""
    suspect, issued, made = (
        write(linear),
        tmp_path / "issued" / queries.digest,
        tmp_path / "fingerprints" / "naturalfinger",
    )
    queries.save(issued)
    write_json(issued / "metrics.json", _metrics(queries, 2))
    other = replace(queries, labels=queries.labels[::-1].copy())
    other.save(made)
    write_json(tmp_path / "metrics" / "naturalfinger.json", _metrics(other, 3))
    printed = _verify(suspect, "--queries", issued)
    assert "on the zoo     independent models accused: 2 of 9 (95 % interval 2.8% to 60.0%)\n" in printed
    assert "on the zoo     models trained on your data called stolen: 3 of 7 (95 % interval" in printed
    assert "on the zoo     thieves missed: 1 of 8 (95 % interval" in printed
    assert "independent models accused: 3 of 9" in _verify(suspect, "--queries", made)
    (issued / "metrics.json").unlink()
    (tmp_path / "metrics" / "naturalfinger.json").unlink()
    assert "known errors   not measured: " in _verify(suspect, "--queries", issued)


def test_a_bug_does_not_end_like_an_accusation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*, standalone_mode: bool) -> None:
        del standalone_mode
        raise RuntimeError("a bug")

    monkeypatch.setattr("nf.cli.commands.cli", broken)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == BUG not in (0, 1, 2, 3, 4)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "status"), [(1, UNREAD), ("no module", BUG), (4, BUG), (0, 0), (None, 0)])
def test_an_end_that_is_not_the_commands_own_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, code: object, status: int
) -> None:
    def ends(*, standalone_mode: bool) -> None:
        del standalone_mode
        raise SystemExit(code)

    monkeypatch.setattr("nf.cli.commands.cli", ends)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == status
    assert status not in (1, 3, 4)


@pytest.mark.parametrize("error", [click.Abort(), KeyboardInterrupt()])
def test_ctrl_c_is_a_line_and_no_accusation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    def stopped(*, standalone_mode: bool) -> None:
        del standalone_mode
        raise error

    monkeypatch.setattr("nf.cli.commands.cli", stopped)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "\nstopped; what was finished is kept, and the same command goes on\n"


@pytest.mark.parametrize(("arguments", "status"), [(["verify"], 2), (["nope"], 2), (["--help"], 0), (["--version"], 0)])
def test_usage_has_the_status_that_shells_expect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int
) -> None:
    monkeypatch.setattr("sys.argv", ["nf", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == status
    assert "Traceback" not in capsys.readouterr().err


def test_the_ledger_notes_who_is_about_to_see_an_issued_set(
    queries: QuerySet, write: Write, linear: str, unasked: Path, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "issued")
    folder = ledger.folder(queries.digest)
    known = OnnxSuspect(write(linear))(queries.images).argmax(axis=1)
    replace(queries, controls=Controls(queries.images[::-1].copy(), known[::-1].copy())).save(folder)
    ledger.issue(IssuedSet(queries.digest, "naturalfinger", 1, "2026-01-01T00:00:00+00:00"))

    def seen() -> set[str]:
        return set(ledger.current().seen_by)

    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"junk")
    for refused in (unasked, broken):
        with pytest.raises(SuspectError):
            _verify(refused, "--queries", folder)
    assert seen() == set()  # a file that is refused at inspection has seen nothing
    suspect = write(linear)
    _verify(suspect, "--queries", folder)
    assert seen() == {str(suspect)}

    table = tmp_path / "answers.csv"
    named = zip(queries.images, known, strict=True)
    lines = (f"{image_name(place, image)},{label}" for place, (image, label) in enumerate(named))
    table.write_text("\n".join(["image,label", *lines]))
    ledger.issue(IssuedSet("0" * 64, "naturalfinger", 2, "2026-02-01T00:00:00+00:00"))  # which retires the other
    with pytest.raises(ArtifactError, match="expected a query set that is not retired"):
        _verify(suspect, "--queries", folder)
    assert "matching rate" in _verify(table, "--queries", folder)  # that was asked before
    assert set(ledger.sets()[0].seen_by) == {str(suspect), str(table)}
