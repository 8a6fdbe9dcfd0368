"""The page of the watch: each suspect's last verdict and its history."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nf.core.files import write_text
from nf.monitoring import IssuedSet, Observation
from nf.report.drawings import svg_markup
from nf.report.figures.watch_history import history_figure
from nf.report.rendering import environment
from nf.verdict import Benchmark

_TEMPLATE = "watch.html.j2"


@dataclass(frozen=True)
class WatchedHistory:
    """A watched suspect.

    Attributes:
        name: name of the suspect.
        history: observations of the suspect, the oldest first, at least one.
    """

    name: str
    history: tuple[Observation, ...]

    @property
    def last(self) -> Observation:
        """The newest attempt."""
        return self.history[-1]

    @property
    def verdict(self) -> Observation | None:
        """The newest attempt that gave a verdict, or ``None`` if none did."""
        return next((observation for observation in reversed(self.history) if observation.stolen is not None), None)


def write_watch_page(
    path: Path, *, profile: str, issued: IssuedSet, benchmark: Benchmark, suspects: Sequence[WatchedHistory]
) -> None:
    """Write the page to ``path`` and each suspect's drawing as ``<name>.svg`` beside it; nothing is fetched to show it.

    Args:
        path: HTML file to write.
        profile: name of the profile.
        issued: query set in use.
        benchmark: verdicts with this query set on the zoo.
        suspects: watched suspects, in the order of the page.

    Raises:
        ArtifactError: a file cannot be written.
    """
    drawings = {}
    for index, suspect in enumerate(suspects):
        title = f"{suspect.name}: scores over time"
        drawings[suspect.name] = svg_markup(history_figure(suspect.history), f"history-{index}", title)
        write_text(path.with_name(f"{suspect.name}.svg"), drawings[suspect.name])
    context = {
        "profile": profile,
        "issued": issued,
        "benchmark": benchmark,
        "suspects": suspects,
        "drawings": drawings,
        "stolen": sum(suspect.verdict is not None and suspect.verdict.stolen is True for suspect in suspects),
    }
    write_text(path, environment().get_template(_TEMPLATE).render(context))
