"""``nf verify A B C``: a line for each suspect, none of which keeps the others from theirs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from nf.cli import asking, verdicts
from nf.cli.verdicts import WORST_FIRST
from nf.cli.verify import verify
from nf.cli.words import INTERRUPTED
from nf.core.errors import ArtifactError, ConfigError
from nf.core.queries import QuerySet
from nf.core.sheets import image_name
from nf.suspects import Examination, suspects_in
from tests.suspects.conftest import parse

Run = Callable[..., Result]


def answers_of(queries: QuerySet, labels: Sequence[int]) -> str:
    """A table of answers to the queries."""
    named = zip(queries.images, labels, strict=True)
    return "\n".join(
        ["image,label", *(f"{image_name(place, image)},{label}" for place, (image, label) in enumerate(named))]
    )


@pytest.fixture
def run(graded: QuerySet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``nf verify`` with arguments and the query set."""
    graded.save(tmp_path / "queries")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def verified(*arguments: object) -> Result:
        given = [*map(str, arguments), "--queries", str(tmp_path / "queries")]
        return CliRunner().invoke(verify, given, catch_exceptions=False)

    return verified


@pytest.fixture
def folder(learned: str, independent: str, tmp_path: Path) -> Path:
    """A thief, an honest model, a model for nothing, and what is no model."""
    folder = tmp_path / "suspects"
    folder.mkdir()
    nonsense = learned.replace("Neg (distance)", "Mul (distance, zero_f)").replace(
        "distance =", "zero_f = Constant <value_float = 0.0> () distance ="
    )
    for name, text in (("b-thief", learned), ("a-honest", independent), ("c-nonsense", nonsense)):
        (folder / f"{name}.onnx").write_bytes(parse(text).SerializeToString())
    (folder / "d-junk.pth").write_bytes(b"junk")
    return folder


def rows(done: Result) -> dict[str, list[str]]:
    """Verdict and what follows of each line, by the name of the suspect's file."""
    table = done.stdout.partition("\n\n")[0].splitlines()
    heads = ("suspect", "verdict", "p independent", "p same data", "matching rate", "asked as", "reason")
    starts = [table[0].index(head) for head in heads]
    cut = [[line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] for line in table[1:]]
    return {Path(cells[0]).name: cells[1:] for cells in cut}


def test_a_folder_gives_a_line_for_each_by_name(run: Run, folder: Path) -> None:
    done = run(folder)
    assert done.exit_code == 1
    told = rows(done)
    assert list(told) == ["a-honest.onnx", "b-thief.onnx", "c-nonsense.onnx", "d-junk.pth"]
    how = "nchw,float32,range=0/1,kind=logits (48 of 48 controls right)"
    assert told["a-honest.onnx"] == ["NOT SHOWN", "1", "1", "0.000", how, "-"]
    outcome, *p_values, rate, asked, reason = told["b-thief.onnx"]
    assert (outcome, rate, asked, reason) == ("STOLEN", "1.000", how, "-")
    assert all(0 < float(value) < 1e-4 for value in p_values)
    assert told["c-nonsense.onnx"][:5] == ["NO VERDICT", "-", "-", "-", "-"]
    assert told["c-nonsense.onnx"][5].startswith("it gives every control image the same class")
    refused = "expected an ONNX file, got something else or a part of one"
    assert told["d-junk.pth"] == ["ERROR", "-", "-", "-", "-", refused]
    assert "suspects       4: 1 NOT SHOWN, 1 STOLEN, 1 NO VERDICT, 1 ERROR\n" in done.stdout
    assert "levels         1 % independent, 5 % same data, for all (Holm)" in done.stdout
    assert "asking suspects: 4/4" in done.stderr


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["a-honest.onnx"], 0),
        (["b-thief.onnx"], 1),
        (["half.csv"], 4),
        (["half.csv", "nowhere.onnx"], 4),
        (["half.csv", "b-thief.onnx"], 1),
        (["c-nonsense.onnx"], 3),
        (["a-honest.onnx", "c-nonsense.onnx"], 3),
        (["c-nonsense.onnx", "nowhere.onnx"], 2),
        (["nowhere.onnx", "b-thief.onnx"], 1),
        (["a-honest.onnx", "a-honest.onnx"], 0),
    ],
)
def test_the_status_is_that_of_the_worst(
    run: Run, folder: Path, graded: QuerySet, names: list[str], status: int
) -> None:
    half = [(label + place % 2) % 3 for place, label in enumerate(graded.labels)]
    (folder / "half.csv").write_text(answers_of(graded, half))
    assert run(*(folder / name for name in names)).exit_code == status
    assert WORST_FIRST == (1, 4, 2, 3, 0)


def test_json_is_an_object_a_line(run: Run, folder: Path, graded: QuerySet) -> None:
    done = run(folder, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["status"], line["outcome"], line["stolen"]) for line in lines] == [
        (0, "not shown", False),
        (1, "stolen", True),
        (3, "no verdict", None),
        (2, "error", None),
    ]
    assert [Path(line["place"]).parent for line in lines] == [folder] * 4
    assert {line["query_set_digest"] for line in lines} == {graded.digest}
    assert lines[1]["suspect"]["file"] == "b-thief.onnx"
    assert lines[3]["reason"].startswith("expected an ONNX file")
    alone = json.loads(run(folder / "b-thief.onnx", "--json").stdout)
    for against in ("independent", "trained"):  # corrected for the two that have a verdict
        assert lines[1][against]["value"] == pytest.approx(2 * alone[against]["value"])
    assert (lines[1]["suspects"], alone["suspects"]) == (2, 1)
    other = ("place", "status", "independent", "trained", "suspects", "asked_at")
    assert {name: lines[1][name] for name in lines[1] if name not in other} == {
        name: alone[name] for name in alone if name not in other
    }


def test_options_hold_for_all(run: Run, folder: Path) -> None:
    done = run(folder / "a-honest.onnx", folder / "b-thief.onnx", "--input", "inverted")
    assert done.exit_code == 3
    assert {cells[0] for cells in rows(done).values()} == {"NO VERDICT"}


def test_what_is_wrong_on_the_owners_side_comes_before_any_is_asked(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "Examination", pytest.fail)
    wrong: list[tuple[type[Exception], list[object]]] = [
        (ArtifactError, ["--metrics", tmp_path / "nowhere.json"]),
        (ConfigError, ["--preset", "mlflow"]),
        (ConfigError, [tmp_path / "nowhere.yaml"]),
    ]
    for error, arguments in wrong:
        with pytest.raises(error):
            run(folder, *arguments)


def test_files_of_several_kinds(run: Run, folder: Path, graded: QuerySet, tmp_path: Path) -> None:
    table = tmp_path / "answers.csv"
    table.write_text(answers_of(graded, graded.labels.tolist()))
    done = run(table, folder / "a-honest.onnx", "http://127.0.0.1:9/v2/models/gone")
    assert done.exit_code == 1
    told = rows(done)
    assert (told["answers.csv"][0], *told["answers.csv"][3:5]) == ("STOLEN", "1.000", "as stated")
    assert told["gone"][0] == "ERROR"
    assert "http://127.0.0.1:9" not in told["gone"][5]  # once is enough


def test_what_stands_in_a_folder_says_not_where_queries_go(folder: Path, run: Run) -> None:
    """Whoever filled it may have written an adapter file, or a table."""
    (folder / "shop.yaml").write_text("{address: 'http://127.0.0.1:9/', send: png, headers: {X: $HOME}}")
    (folder / "answers.csv").write_text("image,label\n")
    told = rows(run(folder))
    assert (
        told["shop.yaml"][5] == told["answers.csv"][5] == "expected an ONNX file, got something else or a part of one"
    )


def test_weights_beside_a_network_and_hidden_files_are_no_suspects(tmp_path: Path) -> None:
    names = ["a.onnx", "a.onnx.data", "b.onnx", "b.onnx_data", "c.xml", "c.bin", ".DS_Store", "d.bin", "e.data"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in suspects_in(tmp_path)] == ["a.onnx", "b.onnx", "c.xml", "d.bin", "e.data"]


def test_a_folder_without_suspects(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: expected a folder of suspects, found none in it"):
        run(tmp_path / "empty")


def test_a_folder_that_is_one_model_is_one_suspect(tmp_path: Path, run: Run, folder: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    told = rows(run(tmp_path / "saved", folder / "a-honest.onnx"))
    assert told["saved"][5].startswith("expected an ONNX file, got a SavedModel of TensorFlow")


def test_names_in_a_folder_do_not_steer_a_terminal(run: Run, folder: Path) -> None:
    (folder / "e\x1b[2K\nx.onnx").write_bytes(b"junk")
    done = run(folder)
    assert "\x1b" not in done.output
    assert "e\ufffd[2K\ufffdx.onnx" in done.stdout


def test_names_in_a_folder_do_not_cost_reports(run: Run, folder: Path, learned: str, tmp_path: Path) -> None:
    """Whoever filled it may have chosen names that are no UTF-8, as long as names can be, or that steer a terminal."""
    thief, report = parse(learned).SerializeToString(), tmp_path / "report"
    names = [b"b\xff.onnx", b"c" * 250 + b".onnx", b"d\x1b]0;x\x07 $(touch x).onnx", b"e.onnx"]
    for path in folder.iterdir():
        path.unlink()
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(thief)
    done = run(folder, "--report", report)
    assert done.exit_code == 1
    assert "\x1b" not in done.output
    assert sorted(path.name for path in report.iterdir()) == [
        "001-b_.onnx",
        f"002-{'c' * 60}",
        "003-d_]0;x_ $(touch x).onnx".replace("]", "_").translate(str.maketrans(";$() ", "_____")),
        "004-e.onnx",
    ]
    assert done.stdout.count("report         ") == 4
    for path in report.iterdir():
        assert (path / "index.html").exists()
    told = [json.loads((path / "evidence.json").read_text())["suspect"]["file"] for path in sorted(report.iterdir())]
    assert told == ["b\ufffd.onnx", os.fsdecode(names[1]), "d\ufffd]0;x\ufffd $(touch x).onnx", "e.onnx"]


def test_a_report_that_cannot_be_written_does_not_cost_the_others(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(place: Path, case: asking.Case, terms: verdicts.Terms) -> Path:
        if "a-honest" in case.place:
            raise ArtifactError("disk full")
        return write_report(place, case, terms)

    forgotten: list[str] = []
    write_report = verdicts.write_report
    monkeypatch.setattr(verdicts, "write_report", written)
    monkeypatch.setattr(asking, "forget", lambda _, cases: forgotten.extend(Path(case.place).name for case in cases))
    given = [str(folder), "--queries", str(tmp_path / "queries"), "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(verify, given)
    assert str(done.exception) == "disk full"
    assert list(rows(done)) == ["a-honest.onnx", "b-thief.onnx", "c-nonsense.onnx", "d-junk.pth"]
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"002-b-thief.onnx", "003-c-nonsense.onnx"}
    assert forgotten == ["b-thief.onnx", "c-nonsense.onnx", "d-junk.pth"]  # the first may be asked on


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), INTERRUPTED), (ArtifactError("disk full"), None)])
def test_a_run_that_is_stopped_tells_what_was_asked(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int | None
) -> None:
    asked = []

    class Stops(Examination):
        def ask(self, part: slice) -> NDArray[np.int64]:
            asked.append(part)
            if len(asked) == 3:
                raise error
            return super().ask(part)

    monkeypatch.setattr(asking, "Examination", Stops)
    given = [str(folder), "--queries", str(folder.parent / "queries")]
    done = CliRunner().invoke(verify, given)
    assert list(rows(done)) == ["a-honest.onnx", "b-thief.onnx"]
    assert done.exit_code == status if status is not None else done.exception is error


MEMORY = """
import sys
from pathlib import Path
from click.testing import CliRunner
import psutil
from nf.cli.verify import verify
import nf.cli.asking as asking

used = []
class Measured(asking.Examination):
    def ask(self, part):
        used.append(psutil.Process().memory_info().rss)
        return super().ask(part)
asking.Examination = Measured
CliRunner().invoke(verify, sys.argv[1:], catch_exceptions=False)
print(len(used), used[-1] - used[len(used) // 3])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_suspects(graded: QuerySet, learned: str, tmp_path: Path) -> None:
    graded.save(tmp_path / "queries")
    (tmp_path / "many").mkdir()
    for number in range(12):
        model = parse(learned)
        model.doc_string = f"{number}" * (1 << 20)  # a megabyte or two each, of which none may stay
        (tmp_path / "many" / f"{number}.onnx").write_bytes(model.SerializeToString())
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "many"), "--queries", str(tmp_path / "queries")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, grown = map(int, done.stdout.split())
    assert count == 12
    assert grown < 4 << 20
