"""``nf verify``: ask suspects from outside, and say whether they were stolen."""

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nf.cli.words import INTERRUPTED
from nf.core.printing import printable

if TYPE_CHECKING:
    from nf.suspects import Kind

_UNUSUAL = re.compile(r"[^\w.-]")  # in the name of a file
_LONGEST = 60  # characters of a name, of up to four bytes each


@click.command()
@click.argument("suspects", metavar="SUSPECT...", nargs=-1, required=True)
@click.option(
    "--queries",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of a query set, as out/digits/fingerprints/naturalfinger.",
)
@click.option(
    "--metrics",
    type=click.Path(path_type=Path),
    help="Metrics of the same query set, for error rates. [default: metrics.json in its folder, where it was issued; "
    "otherwise metrics/<scheme>.json of the same run, if there]",
)
@click.option(
    "--output",
    type=click.Choice(["logits", "probabilities", "distances", "labels", "names", "top-k"]),
    help="What the suspect answers with. [default: what control images show; without any, logits]",
)
@click.option(
    "--input",
    "words",
    metavar="WORDS",
    help="How it takes images, as in nhwc,uint8 or bgr,imagenet. [default: what the file says and control images show]",
)
@click.option("--size", metavar="PIXELS", help="Of the images that it takes, as in 224, or 240x320 (height first).")
@click.option("--labels", type=click.Path(path_type=Path), help="Its names of your classes, a line each in your order.")
@click.option("--interface", "interface_file", type=click.Path(path_type=Path), help="All of that in a YAML file.")
@click.option("--token-from", metavar="NAME", help="Environment variable with a bearer token for the address.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86_400),
    help="Seconds that a file may take for all images, a server for each. [default: 60, or as an adapter file says]",
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
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the evidence there, as a page and as JSON; of several suspects a folder each.",
)
@click.option("--sequential", is_flag=True, help="Ask no more queries than the evidence needs, at the same levels.")
@click.option("--released", metavar="DATE", help="Day on which the suspect was released, as in 2026-05-31.")
@click.option("--json", "as_json", is_flag=True, help="Print the evidence as JSON; of several an object a line.")
def verify(
    suspects: tuple[str, ...],
    folder: Path,
    metrics: Path | None,
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
    report: Path | None,
    sequential: bool,
    released: str | None,
    as_json: bool,
) -> None:
    """Ask each SUSPECT the queries in a folder, and print outcome, p-values and score.

    SUSPECT is an ONNX, OpenVINO or TFLite file, or the address of a model that speaks the Open Inference Protocol, as
    in https://host/v2/models/NAME, or of another with --preset, or a YAML file that describes how a server is spoken
    to, or a CSV file of answers to the images that `nf images` writes, or a folder of models. Several give a line each.

    An ONNX file is not trusted: it is inspected first and then runs in a process of its own, with bounded memory and
    time. Before it sees a query, it answers control images, which show how it wants to be asked.

    The exit status is that of the worst suspect: 1 stolen, 4 stolen or trained on your data, 2 it could not be asked, 3
    no verdict, as it does not answer like a classifier of your classes or beats all known honest models, and 0 not
    shown. Levels hold for all suspects of a run together.
    """
    from nf.cli.asking import Case, ask_all, forget, judged, open_suspects
    from nf.cli.verdicts import ERROR, Terms, outcome_of, tell_many, tell_one, worst_status, write_report
    from nf.core.errors import NFError
    from nf.core.queries import QuerySet
    from nf.suspects import holds_suspects, state_interface
    from nf.verdict import check_card, check_commitment, check_evidence_folder, check_stages, load_benchmark

    queries = QuerySet.load(folder)
    # All that may be amiss on the owner's side comes first: queries that a suspect has seen are spent.
    check_card(queries)
    if sequential:
        check_stages(queries)
    day = _parse_released(released)
    committed = check_commitment(folder, queries, day)
    found = metrics or _find_metrics(folder, queries.card["scheme"])
    known = load_benchmark(found, queries, sequential=sequential) if found else None
    if report is not None:
        check_evidence_folder(report)
    stated = state_interface(words=words, size=size, labels=labels, file=interface_file, kind=output)
    terms = Terms(folder, queries, stated, day, committed)
    opened = open_suspects(
        suspects,
        stated=stated,
        timeout=timeout,
        journal=journal,
        token_from=token_from,
        preset=preset,
        manners={"rate": rate, "price": price},
    )
    cases: list[Case] = []
    stopped: BaseException | None = None
    try:
        for case in ask_all(opened, folder, queries, stated, sequential=sequential, known=known):
            cases.append(case)
    except (KeyboardInterrupt, NFError) as error:
        stopped = error  # what was asked until then is told, for it cannot be asked again
    cases = judged(cases, queries, known)
    several = len(opened) > 1 or holds_suspects(Path(suspects[0]))
    pages: list[Path] = []
    kept: list[Case] = []
    for number, case in enumerate(cases, start=1):
        try:
            if report is not None and outcome_of(case) != ERROR:
                own = report / _folder_name(number, case.place) if several else report
                pages.append(write_report(own, case, terms))
            kept.append(case)
        except NFError as error:
            stopped = stopped or error  # the others' evidence is written all the same
    # Printed when all is written: whoever reads that may have gone.
    if several:
        click.echo(tell_many(cases, terms, as_json=as_json))
    elif cases:
        click.echo(tell_one(cases[0], terms, as_json=as_json))
    for page in pages:
        click.echo(f"report         {printable(str(page))}", err=as_json)
    forget(opened, kept)
    if isinstance(stopped, NFError):
        raise stopped
    click.get_current_context().exit(worst_status(cases) if stopped is None else INTERRUPTED)


def _folder_name(number: int, place: str) -> str:
    """Of the evidence about the suspect at ``place``, whose name somebody else may have chosen."""
    return f"{number:03}-{_UNUSUAL.sub('_', Path(place).name)[:_LONGEST]}"


def _parse_released(text: str | None) -> date | None:
    """The day that ``--released`` states.

    Raises:
        ConfigError: it is none.
    """
    from nf.core.errors import ConfigError

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"released: expected a day as in 2026-05-31, got {text!r}") from None


def _find_metrics(folder: Path, scheme: str) -> Path | None:
    """The metrics of the query set in ``folder``: in it, where it was issued, or those of its run."""
    from nf.core.paths import METRICS_FILE

    places = (folder / METRICS_FILE, folder.resolve().parent.parent / "metrics" / f"{scheme}.json")
    return next((place for place in places if place.exists()), None)
