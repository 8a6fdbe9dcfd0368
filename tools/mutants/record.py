"""What a run of all mutants found, as a record and as the table of ``docs/mutants.md``."""

from collections.abc import Mapping, Sequence
from typing import Any

from nf.core.errors import ConfigError
from tools.mutants.runner import Outcome

BEGIN, END = "<!-- results:mutants -->", "<!-- /results:mutants -->"


def record(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Plain values: how many there are, and by name what was broken and which test noticed."""
    return {
        "what": "mutants: lines of product code broken on purpose, and the tests that notice",
        "n": {"mutants": len(outcomes), "killed": sum(outcome.killed_by is not None for outcome in outcomes)},
        "mutants": {
            outcome.mutant.name: {
                "breaks": outcome.mutant.breaks,
                "file": outcome.mutant.file,
                "killed_by": outcome.killed_by,
            }
            for outcome in outcomes
        },
    }


def table(found: Mapping[str, Any]) -> str:
    """The record ``found`` as a table in Markdown."""
    lines = [
        f"{found['n']['killed']} of {found['n']['mutants']} are caught ({found['machine']}, "
        f"{found['seconds'] / 60:.0f} minutes, commit `{found['commit']}`).",
        "",
        "| Mutant | What it breaks | In | Caught by |",
        "|---|---|---|---|",
    ]
    for name, row in sorted(found["mutants"].items()):  # as the file of the record has them
        caught = f"`{row['killed_by']}`" if row["killed_by"] else "**nobody**"
        lines.append(f"| {name} | {row['breaks']} | `{row['file']}` | {caught} |")
    return "\n".join(lines)


def with_table(page: str, found: Mapping[str, Any]) -> str:
    """``page`` with the table of ``found`` between its marks.

    Raises:
        ConfigError: a mark is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ConfigError(f"expected {BEGIN} and {END} in the page, found no such pair")
    return f"{before}{BEGIN}\n{table(found)}\n{END}{after}"
