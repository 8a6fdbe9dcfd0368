"""What ``nf verify`` prints and writes of suspects, and the status that it ends with."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from nf.cli.asking import Case
from nf.cli.words import EXIT_STATUS, commitment_lines, error_lines, percent, verdict_lines
from nf.core.errors import NoVerdictError
from nf.core.paths import PAGE_FILE
from nf.core.printing import printable
from nf.core.proportions import beside
from nf.core.queries import QuerySet
from nf.suspects import Examined, Interface
from nf.verdict import Committed, Verdict, evidence, no_verdict, write_evidence

ERROR = "error"
NO_VERDICT = "no verdict"

WORST_FIRST = (1, 4, 2, 3, 0)
"""Exit statuses in the order in which the worst of a run counts."""

_GAP = "  "


@dataclass(frozen=True)
class Terms:
    """What holds for all suspects of a run.

    Attributes:
        folder: folder of the query set.
        queries: the query set.
        stated: how suspects are asked, as far as that is known.
        released: stated day on which they were released.
        committed: what was promised of the query set.
    """

    folder: Path
    queries: QuerySet
    stated: Interface
    released: date | None = None
    committed: Committed | None = None


def outcome_of(case: Case) -> str:
    """What ``case`` comes out as: an outcome of ``nf.verdict.OUTCOMES``, no verdict, or an error."""
    if case.verdict is None:
        return NO_VERDICT if isinstance(case.error, NoVerdictError) else ERROR
    return case.verdict.outcome


def worst_status(cases: Sequence[Case]) -> int:
    """The exit status of a run."""
    return min((EXIT_STATUS[outcome_of(case)] for case in cases), key=WORST_FIRST.index)


def tell_one(case: Case, terms: Terms, *, as_json: bool) -> str:
    """All about one suspect: lines, or an object of JSON.

    Raises:
        SuspectError: it could not be asked, or gave no score.
    """
    if case.error is not None and outcome_of(case) == ERROR:
        raise case.error
    if as_json:
        return json.dumps(evidence_of(case, terms), indent=2, sort_keys=True)
    return "\n".join(_details(case, terms))


def tell_many(cases: Sequence[Case], terms: Terms, *, as_json: bool) -> str:
    """A line for each suspect, or an object of JSON in a line for each.

    An object holds also what the suspect was called, and the exit status that it would give alone.
    """
    if not as_json:
        return "\n".join(_table(cases, terms))
    return "\n".join(json.dumps(_line(case, terms), sort_keys=True) for case in cases)


def write_report(folder: Path, case: Case, terms: Terms) -> Path:
    """Write the evidence about ``case`` into ``folder``, as JSON and as a page, and return the page's path.

    Raises:
        ArtifactError: a file cannot be written.
    """
    from nf.report import write_evidence_page

    answers = None if case.examined is None else case.examined.answers
    record = write_evidence(folder, evidence_of(case, terms), answers)
    write_evidence_page(folder / PAGE_FILE, record, terms.queries)
    return folder / PAGE_FILE


def evidence_of(case: Case, terms: Terms) -> dict[str, Any]:
    """All that is known of a suspect that was judged, or why it was not, as plain values."""
    facts: dict[str, Any] = {
        "folder": terms.folder,
        "asked_at": case.asked_at,
        "released": terms.released,
        "committed": terms.committed,
    }
    if case.verdict is None or case.examined is None:
        return no_verdict(str(case.error), terms.queries, case.identity, terms.stated, **facts)
    looks = case.staged.looks if case.staged else None
    spent = {} if case.spent is None else {"spent": asdict(case.spent)}
    return evidence(case.verdict, case.identity, case.examined, terms.queries, **facts, looks=looks) | spent


def _details(case: Case, terms: Terms) -> Iterator[str]:
    """Lines about one suspect that was asked."""
    if case.verdict is None or case.examined is None:
        yield f"verdict        {outcome_of(case).upper()}"
        yield f"reason         {case.reason}"
        return
    found = case.examined.found
    yield from verdict_lines(case.verdict)
    if case.staged is not None:
        yield f"asked          {case.staged.asked} of {len(terms.queries)} queries, as these suffice"
    yield from commitment_lines(terms.committed, terms.released is not None)
    if found is None:
        yield "asked as       stated: the query set has no control images, or they were not asked"
    else:
        yield f"asked as       {found.how}"
        yield f"controls       {found.right} of {found.controls} right, best of {found.tried} ways of asking"
        if case.examined.doubt is not None:
            yield f"doubt          {case.examined.doubt}"
    if case.examined.caution is not None:
        yield f"caution        {case.examined.caution}"
    if case.spent is not None:
        yield f"spent          {case.spent}"


def _table(cases: Sequence[Case], terms: Terms) -> Iterator[str]:
    """A line for each suspect of a run, and below what holds for all of them."""
    queries = terms.queries
    rows: list[tuple[str, ...]] = [
        ("suspect", "verdict", "p independent", "p same data", queries.measure, "asked as", "reason")
    ]
    rows += [
        (
            printable(case.place),
            outcome_of(case).upper(),
            *_numbers(case.verdict),
            "; ".join(_asking(case)) or "-",
            case.reason or "-",
        )
        for case in cases
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    words = [outcome_of(case).upper() for case in cases]
    yield ""
    yield f"suspects       {len(cases)}: {', '.join(f'{words.count(word)} {word}' for word in dict.fromkeys(words))}"
    yield f"queries        {len(queries)}, {queries.digest[:12]}"
    verdicts = [case.verdict for case in cases if case.verdict is not None]
    if verdicts:
        common = min(verdicts, key=lambda verdict: verdict.one_hot)
        if common.levels is not None:
            levels = (
                f"{percent(common.levels.independent)} independent" if common.independent else "",
                f"{percent(common.levels.trained)} same data" if common.trained else "",
            )
            yield f"levels         {', '.join(filter(None, levels))}, for all (Holm)"
        yield from commitment_lines(terms.committed, terms.released is not None)
        yield from error_lines(common)
        if queries.controls is not None and queries.controls.weakness is not None:
            yield f"caution        {queries.controls.weakness}"


def _numbers(verdict: Verdict | None) -> tuple[str, str, str]:
    if verdict is None:
        return "-", "-", "-"
    levels = verdict.levels
    independent, trained = (
        "-" if found is None or levels is None else beside(found.value, getattr(levels, name))
        for name, found in (("independent", verdict.independent), ("trained", verdict.trained))
    )
    return independent, trained, f"{verdict.score:.3f}"


def _line(case: Case, terms: Terms) -> dict[str, Any]:
    outcome = outcome_of(case)
    named: dict[str, Any] = {"place": case.place, "status": EXIT_STATUS[outcome]}
    if outcome != ERROR:
        return named | evidence_of(case, terms)
    told: dict[str, Any] = {"outcome": outcome, "stolen": None} if case.verdict is None else case.verdict.to_json()
    return named | told | {"reason": case.reason, "query_set_digest": terms.queries.digest}


def _asking(case: Case) -> Iterator[str]:
    """How a suspect was asked, in few words."""
    if case.examined is not None:
        yield _found(case.examined)
    if case.verdict is not None and case.verdict.one_hot:
        yield "labels only"
    if case.spent is not None:
        yield str(case.spent)


def _found(examined: Examined) -> str:
    found = examined.found
    if found is None:
        return "as stated"
    doubtful = "" if examined.doubt is None else ", fewer than nine in ten calibration models"
    return f"{found.how} ({found.right} of {found.controls} controls right{doubtful})"
