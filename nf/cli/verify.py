"""``nf verify``: ask a suspect from outside, and say whether it was stolen."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nf.cli.commit import parse_released
from nf.cli.words import EXIT_STATUS, NO_VERDICT, commitment_lines, verdict_lines

if TYPE_CHECKING:
    from nf.core.answers import Answers
    from nf.core.queries import QuerySet
    from nf.suspects import Examined, Kind


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
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="DIR", help="Write the evidence there, as a page and as JSON."
)
@click.option("--sequential", is_flag=True, help="Ask no more queries than the evidence needs, at the same levels.")
@click.option("--released", metavar="DATE", help="Day on which the suspect was released, as in 2026-05-31.")
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
    report: Path | None,
    sequential: bool,
    released: str | None,
) -> None:
    """Ask SUSPECT the queries in a folder, and print outcome, p-values and score.

    SUSPECT is an ONNX file, or the address of a model that speaks the Open Inference Protocol, as in
    https://host/v2/models/NAME, or of another with --preset, or a YAML file that describes how a server is spoken to,
    or a CSV file of answers to the images that `nf images` writes.

    An ONNX file is not trusted: it is inspected first and then runs in a process of its own, with bounded memory and
    time. Before it sees a query, it answers control images, which show how it wants to be asked. Exit status 3 says
    that it does not answer like a classifier of your classes, so that there is no verdict; 1 is stolen, 4 stolen or
    trained on your data, 0 not shown, 2 an error.
    """
    from nf.core.errors import NoVerdictError
    from nf.core.queries import QuerySet
    from nf.monitoring import note_seen
    from nf.suspects import (
        CsvSuspect,
        Examination,
        ServedSuspect,
        is_served,
        open_suspect,
        output_of,
        state_interface,
    )
    from nf.verdict import (
        check_card,
        check_commitment,
        check_evidence_folder,
        check_stages,
        decide,
        decide_in_stages,
        evidence,
        load_benchmark,
        no_verdict,
    )

    queries = QuerySet.load(folder)
    # All that may be amiss on the owner's side comes first: queries that a suspect has seen are spent.
    check_card(queries)
    if sequential:
        check_stages(queries)
    if report:
        check_evidence_folder(report)
    day = parse_released(released)
    committed = check_commitment(folder, queries, day)
    metrics = calibration or _find_metrics(folder, queries.card["scheme"])
    known = load_benchmark(metrics, queries) if metrics else None
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
    facts: dict[str, Any] = {
        "folder": folder,
        "asked_at": datetime.now(UTC),
        "released": day,
        "committed": committed,
    }
    examination = Examination(asked, queries, stated, before_queries=note)
    try:
        staged = decide_in_stages(examination.ask, queries, known) if sequential else None
        if staged is None:
            examination.ask(slice(0, len(queries)))
        examined = examination.finish()
    except NoVerdictError as error:
        record = no_verdict(str(error), queries, suspect, stated, **facts)
        if report:
            _write_report(report, record, None, queries)
        if as_json:
            click.echo(json.dumps(record, indent=2, sort_keys=True))
        else:
            click.echo(f"verdict        NO VERDICT\nreason         {error}")
        sys.exit(NO_VERDICT)
    verdict = staged.verdict if staged else decide(examined.answers, queries, known)
    spent = asked.asked if isinstance(asked, ServedSuspect) else None
    record = evidence(verdict, suspect, examined, queries, **facts, looks=staged.looks if staged else None)
    record |= {} if spent is None else {"spent": asdict(spent)}
    if report:
        record = _write_report(report, record, examined.answers, queries)
    if as_json:
        click.echo(json.dumps(record, indent=2, sort_keys=True))
    else:
        stages = [f"asked          {staged.asked} of {len(queries)} queries, as these suffice"] if staged else []
        lines = [*verdict_lines(verdict), *stages, *commitment_lines(committed, day is not None), *_asked(examined)]
        lines += [] if spent is None else [f"spent          {spent}"]
        lines += [f"report         {report / 'index.html'}"] if report else []
        click.echo("\n".join(lines))
    sys.exit(EXIT_STATUS[verdict.outcome])


def _write_report(
    folder: Path, record: dict[str, Any], answers: "Answers | None", queries: "QuerySet"
) -> dict[str, Any]:
    from nf.core.paths import PAGE_FILE
    from nf.report import write_evidence_page
    from nf.verdict import write_evidence

    record = write_evidence(folder, record, answers)
    write_evidence_page(folder / PAGE_FILE, record, queries)
    return record


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
