"""What ``nf verify`` prints of suspects, and the status that it ends with."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from nf.cli.asking import Case
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.printing import printable
from nf.core.queries import QuerySet
from nf.suspects import Examined, Interface
from nf.verdict import Verdict, evidence, no_verdict


@dataclass(frozen=True)
class Outcome:
    """What a suspect comes out as.

    Attributes:
        word: as it is printed.
        status: exit status of a run with this outcome and none worse.
    """

    word: str
    status: int


STOLEN = Outcome("STOLEN", 1)
ERROR = Outcome("ERROR", 2)
NO_VERDICT = Outcome("NO VERDICT", 3)
NOT_STOLEN = Outcome("not stolen", 0)

WORST_FIRST = (1, 4, 2, 3, 0)
"""Exit statuses; 4 is for a suspect that was stolen or trained on the owner's data."""

_GAP = "  "


def outcome_of(case: Case) -> Outcome:
    """What ``case`` comes out as."""
    if case.verdict is None:
        return NO_VERDICT if isinstance(case.error, NoVerdictError) else ERROR
    return STOLEN if case.verdict.stolen else NOT_STOLEN


def worst_status(cases: Sequence[Case]) -> int:
    """The exit status of a run."""
    return min((outcome_of(case).status for case in cases), key=WORST_FIRST.index)


def tell_one(case: Case, queries: QuerySet, stated: Interface, *, as_json: bool) -> str:
    """All about one suspect: lines, or an object of JSON.

    Raises:
        SuspectError: it could not be asked, or gave no score.
    """
    if case.error is not None and outcome_of(case) == ERROR:
        raise case.error
    return (
        json.dumps(_evidence(case, queries, stated), indent=2, sort_keys=True) if as_json else "\n".join(_details(case))
    )


def tell_many(cases: Sequence[Case], queries: QuerySet, stated: Interface, *, as_json: bool) -> str:
    """A line for each suspect, or an object of JSON in a line for each.

    An object holds also what the suspect was called, and the exit status that it would give alone.
    """
    if not as_json:
        return "\n".join(_table(cases, queries))
    return "\n".join(json.dumps(_line(case, queries, stated), sort_keys=True) for case in cases)


def _details(case: Case) -> Iterator[str]:
    """Lines about one suspect that was asked."""
    if case.verdict is None or case.examined is None:
        yield f"verdict        {outcome_of(case).word}"
        yield f"reason         {case.reason}"
        return
    verdict, found = case.verdict, case.examined.found
    yield f"{verdict.measure:<13}  {verdict.score:.3f}  ({verdict.queries} queries, {verdict.query_set_digest[:12]})"
    if verdict.one_hot:
        yield "answers        labels only: the verifier, which learned from probabilities, was fed one-hot vectors"
    yield _threshold(verdict)
    yield f"verdict        {outcome_of(case).word}"
    yield from _error_rates(verdict)
    if found is None:
        yield "asked as       stated: the query set has no control images, or they were not asked"
    else:
        yield f"asked as       {found.how}"
        yield f"controls       {found.right} of {found.controls} right, best of {found.tried} ways of asking"
    if case.spent is not None:
        yield f"spent          {case.spent}"


def _table(cases: Sequence[Case], queries: QuerySet) -> Iterator[str]:
    """A line for each suspect of a run, and below what holds for all of them."""
    rows: list[tuple[str, ...]] = [("suspect", queries.measure, "verdict", "asked as", "reason")]
    rows += [
        (
            printable(case.place),
            "-" if case.verdict is None else f"{case.verdict.score:.3f}",
            outcome_of(case).word,
            "; ".join(_asking(case)) or "-",
            case.reason or "-",
        )
        for case in cases
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    words = [outcome_of(case).word for case in cases]
    yield ""
    yield f"suspects       {len(cases)}: {', '.join(f'{words.count(word)} {word}' for word in dict.fromkeys(words))}"
    yield f"queries        {len(queries)}, {queries.digest[:12]}"
    verdicts = [case.verdict for case in cases if case.verdict is not None]
    if verdicts:
        common = min(verdicts, key=lambda verdict: verdict.one_hot)
        yield _threshold(common)
        yield from _error_rates(common)


def _evidence(case: Case, queries: QuerySet, stated: Interface) -> dict[str, Any]:
    if case.verdict is None or case.examined is None:
        return no_verdict(str(case.error), queries, case.place, stated)
    spent = {} if case.spent is None else {"spent": asdict(case.spent)}
    return evidence(case.verdict, case.place, case.examined) | spent


def _line(case: Case, queries: QuerySet, stated: Interface) -> dict[str, Any]:
    outcome = outcome_of(case)
    named: dict[str, Any] = {"place": case.place, "status": outcome.status}
    if outcome != ERROR:
        with suppress(SuspectError):  # the file is gone meanwhile
            return named | _evidence(case, queries, stated)
    told: dict[str, Any] = {"stolen": None} if case.verdict is None else case.verdict.to_json()
    return named | told | {"reason": case.reason or "the file is gone", "query_set_digest": queries.digest}


def _threshold(verdict: Verdict) -> str:
    return f"threshold      {verdict.threshold:.3f}  (chosen on training models)"


def _error_rates(verdict: Verdict) -> Iterator[str]:
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
    return "as stated" if found is None else f"{found.how} ({found.right} of {found.controls} controls right)"
