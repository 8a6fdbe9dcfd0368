"""``nf verify``: ask a suspect from outside, and say whether it was stolen."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nf.suspects import Examined, Kind
    from nf.verdict import Verdict

NO_VERDICT = 3
"""Exit status where a suspect does not answer like a classifier of the owner's classes."""


@click.command()
@click.argument("suspect")
@click.option(
    "--queries",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of a query set (`nf fingerprint`).",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="Metrics of the same query set, for error rates. [default: metrics.json in its folder, where it was issued; "
    "otherwise metrics/<scheme>.json of the same run, if there]",
)
@click.option(
    "--output",
    type=click.Choice(["logits", "probabilities", "labels", "names", "top-k"]),
    help="What the suspect answers with. [default: what control images show; without any, logits]",
)
@click.option(
    "--input",
    "words",
    metavar="WORDS",
    help="How it takes images, as in nhwc,uint8 or bgr,imagenet. [default: what the file says and control images show]",
)
@click.option("--size", metavar="PIXELS", help="Of the images that it takes, as in 224 or 240x320.")
@click.option("--labels", type=click.Path(path_type=Path), help="Its names of your classes, a line each in your order.")
@click.option("--interface", "interface_file", type=click.Path(path_type=Path), help="All of that in a YAML file.")
@click.option("--token-from", metavar="NAME", help="Environment variable with a bearer token for the address.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86_400),
    help="Seconds that a file may take for all images, a server for each. [default: 60]",
)
@click.option(
    "--preset", metavar="NAME", help="How the address is spoken to, as in tf-serving; an unknown name lists all."
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Images a second that a server gets at most.")
@click.option("--price", type=click.FloatRange(0), help="Of one request, to show what a run costs.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    help="Folder for a server's answers as they come, so that a run that is cut goes on. [default: "
    "$XDG_STATE_HOME/naturalfinger or ~/.local/state/naturalfinger]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the evidence as JSON.")
def verify(
    suspect: str,
    folder: Path,
    calibration: Path | None,
    output: "Kind | None",
    words: str | None,
    size: str | None,
    labels: Path | None,
    interface_file: Path | None,
    token_from: str | None,
    timeout: float | None,
    preset: str | None,
    rate: float | None,
    price: float | None,
    journal: Path | None,
    as_json: bool,
) -> None:
    """Ask SUSPECT the queries in a folder, and print score, threshold and verdict.

    SUSPECT is an ONNX file, or the address of a model that speaks the Open Inference Protocol, as in
    https://host/v2/models/NAME, or of another with --preset, or a YAML file that describes how a server is spoken to,
    or a CSV file of answers to the images that `nf images` writes.

    An ONNX file is not trusted: it is inspected first and then runs in a process of its own, with bounded memory and
    time. Before it sees a query, it answers control images, which show how it wants to be asked. Exit status 3 says
    that it does not answer like a classifier of your classes, so that there is no verdict.
    """
    from nf.core.errors import NoVerdictError
    from nf.core.queries import QuerySet
    from nf.monitoring import note_seen
    from nf.suspects import CsvSuspect, ServedSuspect, examine, is_served, open_suspect, output_of, state_interface
    from nf.verdict import check_card, decide, evidence, load_calibration, no_verdict

    queries = QuerySet.load(folder)
    # All that may be amiss on the owner's side comes first: queries that a suspect has seen are spent.
    check_card(queries)
    metrics = calibration or _find_metrics(folder, queries.card["scheme"])
    known = load_calibration(metrics, queries) if metrics else None
    stated = state_interface(words=words, size=size, labels=labels, file=interface_file, kind=output)
    asked = open_suspect(
        suspect,
        output=output_of(stated),
        timeout_seconds=timeout or 60.0,
        token_from=token_from,
        stated=stated,
        preset=preset,
        manners={"timeout": timeout, "rate": rate, "price": price},
        journal=journal or (_state_folder() if is_served(suspect) else None),
    )
    note = partial(note_seen, folder, queries.digest, suspect, long_ago=isinstance(asked, CsvSuspect))
    try:
        examined = examine(asked, queries, stated, before_queries=note)
    except NoVerdictError as error:
        if as_json:
            click.echo(json.dumps(no_verdict(str(error), queries, suspect, stated), indent=2, sort_keys=True))
        else:
            click.echo(f"verdict        NO VERDICT\nreason         {error}")
        sys.exit(NO_VERDICT)
    verdict = decide(examined.answers, queries, known)
    spent = asked.asked if isinstance(asked, ServedSuspect) else None
    if as_json:
        told = evidence(verdict, suspect, examined) | ({} if spent is None else {"spent": asdict(spent)})
        click.echo(json.dumps(told, indent=2, sort_keys=True))
    else:
        costs = [] if spent is None else [f"spent          {spent}"]
        click.echo("\n".join([*_lines(verdict), *_asked(examined), *costs]))


def _asked(examined: "Examined") -> Iterator[str]:
    if examined.found is None:
        yield "asked as       stated: the query set has no control images, or they were not asked"
        return
    found = examined.found
    yield f"asked as       {found.how}"
    yield f"controls       {found.right} of {found.controls} right, best of {found.tried} ways of asking"


def _state_folder() -> Path | None:
    """Where programs keep what is to outlive them, by the XDG Base Directory Specification; ``None`` without a home."""
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()) / "naturalfinger"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None


def _find_metrics(folder: Path, scheme: str) -> Path | None:
    """The metrics of the query set in ``folder``: in it, where it was issued, or those of its run."""
    from nf.core.paths import METRICS_FILE

    places = (folder / METRICS_FILE, folder.parent.parent / "metrics" / f"{scheme}.json")
    return next((place for place in places if place.exists()), None)


def _lines(verdict: "Verdict") -> Iterator[str]:
    yield f"{verdict.measure:<13}  {verdict.score:.3f}  ({verdict.queries} queries, {verdict.query_set_digest[:12]})"
    if verdict.one_hot:
        yield "answers        labels only: the verifier, which learned from probabilities, was fed one-hot vectors"
    yield f"threshold      {verdict.threshold:.3f}  (chosen on training models)"
    yield f"verdict        {'STOLEN' if verdict.stolen else 'not stolen'}"
    if verdict.one_hot:
        yield "error rates    not known for labels only: the zoo's suspects give probabilities"
        return
    if verdict.calibration is None:
        yield "error rates    not known: evaluate this query set on a zoo, or name its metrics with --calibration"
        return
    for what, rate in (
        ("honest models accused", verdict.calibration.false_accusation),
        ("stolen models missed", verdict.calibration.miss),
    ):
        low, high = rate.interval()
        yield f"on the zoo     {what}: {rate.count} of {rate.total} (95 % interval {low:.1%} to {high:.1%})"
