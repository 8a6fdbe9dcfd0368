"""``nf commit``: promise a query set before a suspect is looked at."""

import shlex
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File for another copy of what is to be published.")
@click.option("--note", help="Words that are published with the hash.")
def commit(folder: Path, out: Path | None, note: str | None) -> None:
    """Write a hash of the query set in FOLDER, its controls, threshold and calibration, to be published beforehand.

    Beside FOLDER comes a folder with commitment.json, which may be shown to anybody, and opening.json, which is private
    and shows later what was promised. Keep both. The time in commitment.json is yours to claim: have the file
    time-stamped or signed, and leave the stamp beside it under the same name with an ending of its own.
    """
    from nf.core.errors import ArtifactError, ConfigError
    from nf.core.files import write_json
    from nf.core.paths import COMMITMENT_FILE, OPENING_FILE
    from nf.core.queries import QuerySet
    from nf.monitoring import shown_to
    from nf.verdict import Commitment, commitment_folder
    from nf.verdict import commit as promise

    queries, place = QuerySet.load(folder), commitment_folder(folder)
    public = place / COMMITMENT_FILE
    if public.exists():
        found = Commitment.load(place)
        if changed := found.changed(queries):
            raise ArtifactError(
                f"{public}: expected no earlier commitment, got one of {found.created_at} to a set with another "
                f"{' and '.join(changed)}; move {place} away to commit anew"
            )
        if note not in (None, found.note):
            raise ConfigError(
                f"note: expected {found.note!r}, with which this set was committed at {found.created_at}, got {note!r}"
            )
    elif (place / OPENING_FILE).exists():  # without it a hash that was published is worth nothing
        raise ArtifactError(
            f"{place / OPENING_FILE}: expected {COMMITMENT_FILE} beside it, found nothing; put back what was "
            f"published, or if nothing was, move {place} away to commit anew"
        )
    else:
        found = promise(queries, note=note or "")
        found.save(place)
    if out is not None:
        write_json(out, found.public)
    click.echo(f"hash           {found.hash}")
    click.echo(f"committed      {found.created_at} by your own clock")
    click.echo(f"publish        {public}")
    click.echo(f"keep private   {place / OPENING_FILE}")
    if seen := shown_to(folder, queries.digest):
        who = f"{len(seen)} suspect{'s' if len(seen) > 1 else ''}"
        click.echo(f"seen           by {who} since {min(seen.values())}, for whom the promise comes too late")
    click.echo(_how_to_stamp(public))


def _how_to_stamp(public: Path) -> str:
    file = shlex.quote(str(public))
    query = shlex.quote(f"{public}.tsq")
    return f"""
Nobody need believe your clock. Have the file time-stamped or signed by one of these, and leave the stamp beside it:
  openssl ts -query -data {file} -sha256 -cert -out {query}   # send it to a time-stamping authority: .tsr
  ots stamp {file}
  gpg --detach-sign --armor {file}
  git tag -s commitment-1 -F {file}   # and push it"""
