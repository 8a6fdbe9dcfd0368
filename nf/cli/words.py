"""What the commands print of a verdict, and the exit statuses that go with it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nf.core.printing import printable
from nf.core.proportions import beside

if TYPE_CHECKING:
    from nf.core.proportions import Proportion
    from nf.verdict import Committed, PValue, Verdict

EXIT_STATUS = {"not shown": 0, "stolen": 1, "stolen or trained on your data": 4, "no verdict": 3, "error": 2}
"""Exit status by outcome."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, for which click's own, 1, is taken."""

UNREAD = 141
"""Exit status where nobody reads what is printed any more, as shells have it of SIGPIPE; click's own, 1, is taken."""


def verdict_lines(verdict: "Verdict") -> Iterator[str]:
    """The outcome, what it rests on, and how often verdicts of this kind were wrong."""
    from nf.verdict import corrections

    yield f"verdict        {verdict.outcome.upper()}"
    if verdict.levels is not None:
        yield from _p_value_lines(
            "independent", verdict.independent, verdict.levels.independent, "no independent model scores so high"
        )
        yield from _p_value_lines(
            "same data",
            verdict.trained,
            verdict.levels.trained,
            "no model that only learned from your data scores so high",
        )
        if reasons := corrections(verdict.suspects, verdict.look_factor):
            yield f"corrected      p-values, {reasons}"
    else:
        yield "p-values       none: the query set has no calibration, so that its threshold is all there is"
    if verdict.calibrated is not None:
        yield f'calibrated     {verdict.calibrated:.3f}  (chance of "stolen" if half of all models were thieves)'
    yield f"{verdict.measure:<13}  {verdict.score:.3f}  ({verdict.queries} queries, {verdict.query_set_digest[:12]})"
    if verdict.one_hot:
        yield "answers        labels only: the verifier, which learned from probabilities, was fed one-hot vectors"
    yield f"threshold      {verdict.threshold:.3f}  (of the {verdict.measure}, chosen on training models)"
    yield from error_lines(verdict)


def commitment_lines(committed: "Committed | None", released: bool) -> Iterator[str]:
    """Whether the query set was committed, and when, relative to the suspect's stated release date."""
    if committed is None:
        if released:
            yield "committed      no: nothing shows that the query set was made before the suspect was released"
        return
    if committed.changed:
        yield (f"committed      not to this set: {', '.join(committed.changed)} changed since {committed.created_at}")
        return
    when = {None: "", True: f", before the release on {committed.released}"}.get(
        committed.before, f", NOT before the release on {committed.released}"
    )
    yield f"committed      {committed.created_at} by your own clock{when}, hash {committed.hash[:16]}"
    stamps = ", ".join(map(printable, committed.stamps)) or "none, so that the time is your word"
    yield f"stamps         {stamps}{'; check them with the tools that made them' if committed.stamps else ''}"


def _p_value_lines(name: str, found: "PValue | None", level: float, claim: str) -> Iterator[str]:
    if found is None:
        yield f"{name:<13}  no p-value: the query set knows no such models"
        return
    unlike = "not surprising enough" if found.explained else "neither honest models nor thieves score so"
    told = claim if found.value <= level else unlike
    yield f"{name:<13}  p = {beside(found.value, level)} (level {percent(level)}): {told}"


def percent(level: float) -> str:
    """A level in [0, 1], not rounded: 0.005 gives ``0.5 %``."""
    return f"{100 * level:g} %"


def error_lines(verdict: "Verdict") -> Iterator[str]:
    """How often verdicts with this query set were wrong on a zoo."""
    if verdict.one_hot and verdict.levels is None:
        yield "known errors   not known for labels only: the zoo's suspects give probabilities"
        return
    if verdict.benchmark is None:
        yield "known errors   not measured: evaluate this query set on a zoo, or name its metrics with --metrics"
        return
    known = verdict.benchmark
    # Where nobody else's images are known, all honest models learned from the owner's.
    honest = "honest" if verdict.levels is not None and verdict.independent is None else "independent"
    rates: tuple[tuple[str, Proportion | None], ...] = (
        (f"{honest} models accused", known.independent_accused),
        ("models trained on your data called stolen", known.trained_accused),
        ("thieves missed", known.missed),
    )
    for what, rate in rates:
        if rate is None:
            yield f"on the zoo     {what}: not measured"
            continue
        yield f"on the zoo     {what}: {rate}"
