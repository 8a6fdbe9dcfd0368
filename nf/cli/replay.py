"""``nf replay``: repeat a judgement from its evidence, and given the suspect, from the suspect."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nf.cli.words import commitment_lines
from nf.core.printing import printable

if TYPE_CHECKING:
    from nf.core.queries import QuerySet
    from nf.verdict import Recorded, Replayed

DIFFERENT = 1
"""Exit status where the judgement is not as recorded."""

_WEIGHTS_UNKNOWN = "; of the weights beside it, this evidence of an older version says nothing"


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
    from nf.core.errors import ArtifactError, ConfigError
    from nf.core.queries import QuerySet
    from nf.verdict import check_commitment, load_evidence
    from nf.verdict import replay as judge_again

    recorded = load_evidence(folder)
    place = query_set or recorded.folder
    if place is None:
        raise ConfigError("queries: expected the folder of the query set, as the evidence names none")
    if query_set is None and not os.access(place, os.R_OK):  # as on the machine of whoever checks
        raise ArtifactError(
            f"expected the folder of a query set at {place}, where the evidence says that it was, found nothing; "
            "name it with --queries"
        )
    queries = QuerySet.load(place)
    again = judge_again(recorded, queries)
    click.echo(f"recorded       {recorded.record['outcome']}, {printable(str(recorded.record.get('asked_at')))}")
    click.echo(f"replayed       {again.verdict.outcome}, from the recorded answers")
    _tell_differences(again)
    committed = check_commitment(place, queries)
    for line in commitment_lines(committed, released=False):
        click.echo(line)
    same = again.same and not (committed and committed.changed)
    if suspect is not None:
        same = _ask_again(suspect, recorded, queries, place, token_from, preset, timeout) and same
    click.echo(f"judgement      {'the same' if same else 'NOT THE SAME'}")
    click.get_current_context().exit(0 if same else DIFFERENT)


def _tell_differences(again: "Replayed") -> None:
    for line in again.differences:
        click.echo(f"different      {printable(line)}")


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
    from nf.monitoring import note_seen
    from nf.suspects import Examination, ServedSuspect, is_served, open_suspect, output_of
    from nf.verdict import changed_files, identify, share_equal
    from nf.verdict import replay as judge_again

    how = recorded.interface
    asked = open_suspect(
        suspect,
        output=output_of(how),
        timeout_seconds=timeout,
        token_from=token_from,
        stated=how,
        preset=preset,
    )
    identity = identify(suspect, asked)

    def note() -> None:
        if retired_at := note_seen(place, queries.digest, suspect, even_retired=True):
            click.echo(f"retired        {retired_at}; the ledger notes who sees the query set all the same")

    try:
        examination = Examination(asked, queries, how, before_queries=note)
        examination.ask(slice(0, len(recorded.answers)))
        answers = examination.finish().answers
        if isinstance(asked, ServedSuspect):
            asked.finish()
    except NoVerdictError as error:
        click.echo(f"asked again    no verdict: {printable(str(error))}")
        return False
    if not is_served(suspect):
        changed = changed_files(recorded, identity)
        names = f": {printable(', '.join(changed))}" if changed else ""
        unknown = "" if "beside" in recorded.record["suspect"] or not identity.get("beside") else _WEIGHTS_UNKNOWN
        click.echo(f"file           {'another' if changed else 'the same'} (SHA-256){names}{unknown}")
    again = judge_again(recorded, queries, answers)
    click.echo(
        f"asked again    {again.verdict.outcome}, {share_equal(recorded, answers):.1%} of the answers as recorded"
    )
    _tell_differences(again)
    return again.same
