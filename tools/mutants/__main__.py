"""``python -m tools.mutants``: break one line after another in a copy, and list which tests notice."""

import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from nf.core.errors import NFError, UnknownNameError
from nf.core.files import write_json, write_text
from nf.core.progress import show_progress
from nf.core.threads import configure_math_libraries
from nf.stages.provenance import git_commit, machine, versions
from tools.mutants.mutant import Mutant
from tools.mutants.record import record, with_table
from tools.mutants.runner import Outcome, run
from tools.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "mutants.md"


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="This mutant; may be given several times.")
@click.option("--record", "to", type=click.Path(path_type=Path), help="Write a record of all, and the table in docs.")
def main(only: tuple[str, ...], to: Path | None) -> None:
    """Break one line after another in a copy of this project; status 1 if the tests let one pass."""
    if only and to:
        raise click.UsageError("--record: expected a run of all mutants, got --only")
    configure_math_libraries()  # of the process that all others are forked from
    started, commit = time.monotonic(), git_commit(ROOT)
    try:
        with show_progress("mutants") as progress:
            outcomes = run(ROOT, chosen(only), progress)
        if to is not None:
            _write(to, outcomes, time.monotonic() - started, commit)
    except NFError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    show(outcomes)
    sys.exit(any(outcome.killed_by is None for outcome in outcomes))


def chosen(names: tuple[str, ...]) -> list[Mutant]:
    """The mutants called ``names``, or all.

    Raises:
        UnknownNameError: there is no such mutant.
    """
    known = {mutant.name: mutant for mutant in MUTANTS}
    for name in names:
        if name not in known:
            raise UnknownNameError("mutant", name, known)
    return [known[name] for name in names or known]


def show(outcomes: list[Outcome]) -> None:
    """Print what became of each mutant, and by which test."""
    lines = Table("mutant", "outcome", "by")
    for outcome in outcomes:
        lines.add_row(outcome.mutant.name, "killed" if outcome.killed_by else "SURVIVED", outcome.killed_by or "")
    # Without markup, or the parameters of a test in their brackets would be taken for some.
    Console(width=None if sys.stdout.isatty() else 200, markup=False).print(lines)


def _write(to: Path, outcomes: list[Outcome], seconds: float, commit: str) -> None:
    found = record(outcomes) | {
        "seconds": round(seconds, 1),
        "machine": machine(),
        "versions": versions(),
        "commit": commit,
    }
    write_json(to, found)
    write_text(PAGE, with_table(PAGE.read_text(), found))


if __name__ == "__main__":
    main()
