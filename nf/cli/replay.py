"""``nf replay``: repeat a judgement from its evidence, and given the suspect, from the suspect."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nf.cli.words import commitment_lines

if TYPE_CHECKING:
    from nf.core.queries import QuerySet
    from nf.verdict import Recorded

DIFFERENT = 1
"""Exit status where the judgement is not as recorded."""


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("suspect", required=False)
@click.option(
    "--queries", "query_set", type=click.Path(path_type=Path), help="Folder of the query set. [default: as recorded]"
)
@click.option("--token-from", metavar="NAME", help="Environment variable with a bearer token for the address.")
@click.option("--preset", metavar="NAME", help="How the address is spoken to.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86_400),
    help="Seconds that a file may take for all images, a server for each. [default: 60, or as an adapter file says]",
)
def replay(
    folder: Path,
    suspect: str | None,
    query_set: Path | None,
    token_from: str | None,
    preset: str | None,
    timeout: float | None,
) -> None:
    """Judge again from the evidence in DIR, which `nf verify --report DIR` wrote, and say whether the verdict stands.

    With SUSPECT it is asked again, in the way that the evidence says. Exit status 0: the same, 1: not the
    same, 2: an error.
    """
    from nf.core.errors import ConfigError
    from nf.core.queries import QuerySet
    from nf.verdict import check_commitment, load_evidence
    from nf.verdict import replay as judge_again

    recorded = load_evidence(folder)
    place = query_set or recorded.record.get("query_set", {}).get("folder")
    if place is None:
        raise ConfigError("queries: expected the folder of the query set, as the evidence names none")
    queries = QuerySet.load(Path(place))
    again = judge_again(recorded, queries)
    click.echo(f"recorded       {recorded.record['outcome']}, {recorded.record.get('asked_at')}")
    click.echo(f"replayed       {again.verdict.outcome}, from the recorded answers")
    for line in again.differences:
        click.echo(f"different      {line}")
    committed = check_commitment(Path(place), queries)
    for line in commitment_lines(committed, released=False):
        click.echo(line)
    same = again.same and not (committed and committed.changed)
    if suspect is not None:
        same = _ask_again(suspect, recorded, queries, Path(place), token_from, preset, timeout) and same
    click.echo(f"judgement      {'the same' if same else 'NOT THE SAME'}")
    sys.exit(0 if same else DIFFERENT)


def _ask_again(
    suspect: str,
    recorded: "Recorded",
    queries: "QuerySet",
    place: Path,
    token_from: str | None,
    preset: str | None,
    timeout: float | None,
) -> bool:
    """Whether the suspect, asked again as recorded, gets the same outcome."""
    from nf.core.errors import NoVerdictError
    from nf.core.files import sha256_file
    from nf.core.sections import parse_section
    from nf.monitoring import note_seen
    from nf.suspects import Examination, Interface, ServedSuspect, is_served, open_suspect, output_of
    from nf.verdict import replay as judge_again
    from nf.verdict import share_equal

    how = parse_section(Interface, recorded.record["asked"]["interface"], "the evidence's interface")
    asked = open_suspect(
        suspect,
        output=output_of(how),
        timeout_seconds=timeout,
        token_from=token_from,
        stated=how,
        preset=preset,
    )
    note = partial(note_seen, place, queries.digest, suspect, long_ago=True)
    try:
        examination = Examination(asked, queries, how, before_queries=note)
        examination.ask(slice(0, len(recorded.answers)))
        answers = examination.finish().answers
        if isinstance(asked, ServedSuspect):
            asked.finish()
    except NoVerdictError as error:
        click.echo(f"asked again    no verdict: {error}")
        return False
    if not is_served(suspect):
        known = recorded.record["suspect"].get("sha256")
        same_file = known == sha256_file(Path(suspect))
        click.echo(f"file           {'the same' if same_file else 'another'} (SHA-256)")
    again = judge_again(recorded, queries, answers)
    click.echo(
        f"asked again    {again.verdict.outcome}, {share_equal(recorded, answers):.1%} of the answers as recorded"
    )
    for line in again.differences:
        click.echo(f"different      {line}")
    return again.same
