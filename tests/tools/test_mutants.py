"""Mutants of today's tree, and what the runner says of a tree with one that is noticed and one that is not."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from nf.core.errors import ConfigError, NFError, UnknownNameError
from tools.mutants import __main__ as command
from tools.mutants import runner
from tools.mutants.mutant import Mutant
from tools.mutants.record import BEGIN, END, with_table
from tools.mutants.runner import run
from tools.mutants.table import MUTANTS

ROOT = Path(__file__).parents[2]
CODE = "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2\n"
TESTS = (
    "from toy.code import double, half\n\n\ndef test_double():\n    assert half(double(3)) == 3 and double(3) == 6\n"
)
KILLED = Mutant("double", "doubles by three", "toy/code.py", "2 * x", "3 * x", ("test_toy.py",))
SURVIVING = Mutant("half", "halves to whole numbers", "toy/code.py", "x / 2", "x // 2", ("test_toy.py",))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_a_change_of_todays_code(mutant):
    text = (ROOT / mutant.file).read_text()
    broken = mutant.apply(text)
    assert broken != text
    compile(broken, mutant.file, "exec")
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text() if name else (ROOT / file).is_file()


def test_names_are_told_apart():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_the_page_holds_the_record_of_these_very_mutants():
    found = json.loads((ROOT / "results" / "mutants.json").read_text())
    assert set(found["mutants"]) == {mutant.name for mutant in MUTANTS}, "run `make mutants`"
    page = (ROOT / "docs" / "mutants.md").read_text()
    assert with_table(page, found) == page
    assert all(row["killed_by"] for row in found["mutants"].values())


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A project under git with one function of which a test sees all, and one of which it does not."""
    monkeypatch.setattr(runner, "PRELOADED", ())  # nothing here needs torch
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").touch()
    (tmp_path / "toy" / "code.py").write_text(CODE)
    (tmp_path / "test_toy.py").write_text(TESTS)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def test_one_is_killed_and_one_survives_and_the_tree_stays_as_it_is(toy, monkeypatch):
    """What is printed, the record and the page name the test that noticed, and the one that nobody noticed."""
    page = toy / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(command, "ROOT", toy)
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "MUTANTS", (KILLED, SURVIVING))
    ended = CliRunner().invoke(command.main, ["--record", str(toy / "record.json")])
    assert ended.exit_code == 1
    words = [line.replace("│", " ").split() for line in ended.stdout.splitlines()]
    assert ["double", "killed", "test_toy.py::test_double"] in words
    assert ["half", "SURVIVED"] in words
    assert (toy / "toy" / "code.py").read_text() == CODE
    found = json.loads((toy / "record.json").read_text())
    assert found["n"] == {"mutants": 2, "killed": 1}
    assert [row["killed_by"] for row in found["mutants"].values()] == ["test_toy.py::test_double", None]
    before, _, table = page.read_text().partition("1 of 2 are caught")
    assert before == f"before\n{BEGIN}\n"
    assert table.endswith(
        "| Mutant | What it breaks | In | Caught by |\n|---|---|---|---|\n"
        "| double | doubles by three | `toy/code.py` | `test_toy.py::test_double` |\n"
        f"| half | halves to whole numbers | `toy/code.py` | **nobody** |\n{END}\nafter\n"
    )


def test_a_page_without_marks_is_refused():
    with pytest.raises(ConfigError, match=f"expected {BEGIN} and {END} in the page, found no such pair"):
        with_table("a page", {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"before": "x + 2"}, r"mutant 'double': expected its text once in toy/code.py, found it 0 times; bring"),
        ({"before": "x"}, r"expected its text once in toy/code.py, found it 4 times"),
        ({"after": "2 * x"}, "expected another text than the one that is there, got the same"),
        ({"file": "toy/gone.py"}, r"mutant 'double': expected a file toy/gone.py, found none"),
    ],
)
def test_a_mutant_that_is_none_is_refused_before_any_test_runs(toy, changes, message):
    with pytest.raises(ConfigError, match=message):
        run(toy, [Mutant(**{**vars(KILLED), **changes})], lambda *_: pytest.fail("a test was run"))


def test_a_test_that_fails_in_any_case_notices_nothing(toy):
    (toy / "test_toy.py").write_text("def test_double():\n    raise ValueError\n")
    with pytest.raises(NFError, match=r"test_toy\.py::test_double: expected a test that passes without any mutant"):
        run(toy, [KILLED], lambda *_: None)


def test_tests_that_cannot_be_run_are_named(toy):
    with pytest.raises(
        NFError, match=r"(?s)expected pytest to run test_gone\.py, it ended with status 4: .*test_gone\.py"
    ):
        run(toy, [Mutant(**{**vars(KILLED), "tests": ("test_gone.py",)})], lambda *_: None)


def test_an_unknown_name_is_refused():
    assert [mutant.name for mutant in command.chosen(("momentum-lost",))] == ["momentum-lost"]
    with pytest.raises(UnknownNameError, match="unknown mutant 'x': expected one of adversarial-share-ignored, "):
        command.chosen(("x",))


def test_a_record_is_of_all_mutants(tmp_path):
    ended = CliRunner().invoke(command.main, ["--only", "momentum-lost", "--record", str(tmp_path / "r.json")])
    assert ended.exit_code == 2
    assert "--record: expected a run of all mutants, got --only" in ended.output
