"""The page of the watch: what is claimed of each suspect, how sure that is, and the suspect's history."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nf.core.files import write_text
from nf.core.queries import QuerySet
from nf.monitoring import CorrectedVerdict, IssuedSet, Observation
from nf.report.drawings import svg_markup
from nf.report.figures.watch_history import history_figure
from nf.report.formats import level
from nf.report.rendering import environment
from nf.verdict import OUTCOMES, Benchmark, Outcome

_TEMPLATE = "watch.html.j2"
_MOST_DRAWN = 20  # on the page: more would make it slow to open


@dataclass(frozen=True)
class WatchedHistory:
    """A watched suspect.

    Attributes:
        name: name of the suspect.
        history: observations of the suspect, the oldest first, at least one.
        verdict: corrected verdict, or ``None`` if no observation is a verdict.
    """

    name: str
    history: tuple[Observation, ...]
    verdict: CorrectedVerdict | None = None

    @property
    def last(self) -> Observation:
        """The newest attempt."""
        return self.history[-1]


def write_watch_page(
    path: Path,
    *,
    profile: str,
    issued: IssuedSet,
    queries: QuerySet,
    benchmark: Benchmark,
    suspects: Sequence[WatchedHistory],
) -> None:
    """Write the page to ``path`` and each suspect's drawing as ``<name>.svg`` beside it; nothing is fetched to show it.

    Of a long list the page links the drawings in the place of showing them.

    Args:
        path: HTML file to write.
        profile: name of the profile.
        issued: query set in use, as the ledger has it.
        queries: query set in use.
        benchmark: verdicts with this query set on the zoo.
        suspects: watched suspects, in the order of the page.

    Raises:
        ArtifactError: a file cannot be written.
    """
    drawings: dict[str, str] = {}
    for index, suspect in enumerate(suspects):
        title = f"{suspect.name}: scores over time"
        drawing = svg_markup(history_figure(suspect.history), f"history-{index}", title)
        write_text(path.with_name(f"{suspect.name}.svg"), drawing)
        if len(suspects) <= _MOST_DRAWN:
            drawings[suspect.name] = drawing
    known = queries.calibration
    levels = known.levels if known else None
    context: dict[str, Any] = {
        "profile": profile,
        "issued": issued,
        "measure": queries.measure,
        "levels": levels,
        "honest": "Honest" if known and not len(known.select("independent")) else "Independent",
        "benchmark": benchmark.to_json(),
        "suspects": suspects,
        "drawings": drawings,
        "answer": answer(suspects),
    }
    write_text(path, environment().get_template(_TEMPLATE).render(context))


def answer(suspects: Sequence[WatchedHistory]) -> str:
    """The page in one sentence: how many suspects are claimed to be what, and at which levels."""
    verdicts = [suspect.verdict for suspect in suspects if suspect.verdict]
    if not verdicts:
        return "There is no verdict on any suspect yet"
    by_levels: dict[str, list[Outcome]] = {}
    for verdict in sorted(verdicts, key=lambda verdict: verdict.newest.levels is None):
        by_levels.setdefault(_at(verdict.newest), []).append(verdict.outcome)
    parts = [f"{_claims(outcomes)}, {levels}" for levels, outcomes in by_levels.items()]
    return f"Of {len(verdicts)} suspect{'s' if len(verdicts) > 1 else ''} {'; '.join(parts)}"


def _at(newest: Observation) -> str:
    levels = newest.levels
    if levels is None:
        return "at no known level, as the query set had no calibration"
    if newest.independent is None:  # models that learned from the owner's data are all the honest ones there are
        return f"at a level of {level(levels.trained)}"
    return f"at levels of {level(levels.independent)} and {level(levels.trained)}"


def _claims(outcomes: Sequence[Outcome]) -> str:
    counts = {outcome: outcomes.count(outcome) for outcome in OUTCOMES[:-1]}
    claims = [f"{count} {'is' if count == 1 else 'are'} {outcome}" for outcome, count in counts.items() if count]
    return " and ".join(claims) or "none is shown to be stolen"
