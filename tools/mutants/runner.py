"""Breaking one line at a time in a copy of the project, and asking its tests."""

import multiprocessing
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

from nf.core.errors import ConfigError, NFError
from tools.mutants.child import PRELOADED, run_pytest
from tools.mutants.mutant import Mutant

Progress = Callable[[int, int, str], None]
"""(mutants done, their total, what is being done)."""

# A mutant that has the tests wait for ever is noticed, too.
_TIMEOUT_SECONDS = 900
_PASSED, _FAILED = 0, 1


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        mutant: the broken line.
        killed_by: the first test that failed; ``None`` if all passed.
    """

    mutant: Mutant
    killed_by: str | None


def run(root: Path, mutants: Sequence[Mutant], progress: Progress) -> list[Outcome]:
    """Ask the tests about each mutant, in a copy of what git tracks or would track in ``root``.

    Raises:
        ConfigError: the text of a mutant is not there exactly once.
        NFError: the tests fail without any mutant, or cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder) / "tree"
        _copy(root, tree)
        for mutant in mutants:
            mutant.apply(_read(tree, mutant))
        progress(0, len(mutants), "the tests as they are")
        tests = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
        if failed := _first_failure(tree, tests):
            raise NFError(f"{failed}: expected a test that passes without any mutant, it failed")
        outcomes: list[Outcome] = []
        for done, mutant in enumerate(mutants):
            survived = sum(outcome.killed_by is None for outcome in outcomes)
            progress(done, len(mutants), f"{mutant.name}, {survived} survived so far")
            with _mutated(tree, mutant):
                outcomes.append(Outcome(mutant, _first_failure(tree, mutant.tests)))
        progress(len(mutants), len(mutants), "done")
        return outcomes


def _copy(root: Path, tree: Path) -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, tree / name)


def _read(tree: Path, mutant: Mutant) -> str:
    try:
        return (tree / mutant.file).read_text()
    except FileNotFoundError:
        raise ConfigError(f"mutant {mutant.name!r}: expected a file {mutant.file}, found none") from None


@contextmanager
def _mutated(tree: Path, mutant: Mutant) -> Iterator[None]:
    whole = _read(tree, mutant)
    (tree / mutant.file).write_text(mutant.apply(whole))
    try:
        yield
    finally:
        (tree / mutant.file).write_text(whole)


def _first_failure(tree: Path, tests: Iterable[str]) -> str | None:
    """The first of ``tests`` that fails in ``tree``, as pytest calls it, or None."""
    report, output = tree.parent / "report.xml", tree.parent / "output"
    report.unlink(missing_ok=True)
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={tree.parent / 'pytest'}"]
    options += [f"--junit-xml={report}", "-o", "junit_family=xunit1"]  # the family that names files
    process = _forkserver().Process(target=run_pytest, args=(tree, output, [*options, *tests]))
    process.start()
    process.join(_TIMEOUT_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return f"no end within {_TIMEOUT_SECONDS} seconds"
    if process.exitcode == _PASSED:
        return None
    failed = _failed_test(report) if process.exitcode == _FAILED else None
    if failed is None:
        said = output.read_text(errors="replace")[-2000:] if output.exists() else "(no output)"
        raise NFError(f"expected pytest to run {' '.join(tests)}, it ended with status {process.exitcode}: {said}")
    return failed


def _forkserver() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _failed_test(report: Path) -> str | None:
    for case in ET.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            file = case.get("file")  # none where a file of tests could not be imported
            return f"{file}::{case.get('name')}" if file else None
    return None
