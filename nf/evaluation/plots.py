"""The tables behind the figures, as CSV for ``dvc plots`` and for people."""

from collections.abc import Iterable
from dataclasses import astuple, fields
from pathlib import Path

from nf.core.files import write_csv
from nf.core.paths import BUDGET_FILE
from nf.core.scores import ScoreTable
from nf.evaluation.aruc import curves
from nf.evaluation.budget import BudgetPoint
from nf.evaluation.margins import margins


def write_plots(table: ScoreTable, budget: Iterable[BudgetPoint], folder: Path) -> None:
    """Write ``curves.csv``, ``rates.csv``, ``margins.csv`` and ``budget.csv`` into ``folder``.

    Args:
        table: scores of the suspects, for the first three files.
        budget: points of ``nf.evaluation.budget_curve``, for the last file.
        folder: folder of the files; made if missing.

    Raises:
        ConfigError: there is no positive or no negative suspect, or a score is outside [0, 1].
        ArtifactError: the mirror of a positive is missing, or the folder cannot be written.
    """
    # What DVC draws is not sealed.
    suspects = table.select(pool="suspects")
    steps = curves(suspects.select(role="positive").values, suspects.select(role="negative").values)
    write_csv(
        folder / "curves.csv",
        ("threshold", "robustness", "uniqueness"),
        zip(steps.thresholds.tolist(), steps.robustness.tolist(), steps.uniqueness.tolist(), strict=True),
        seal=False,
    )
    write_csv(
        folder / "rates.csv",
        ("suspect", "role", "attack", "level", "architecture", "rate"),
        ((row.suspect, row.role, row.attack, row.level, row.architecture, row.score) for row in suspects.rows),
        seal=False,
    )
    write_csv(
        folder / "margins.csv",
        ("suspect", "mirror", "attack", "level", "architecture", "positive", "negative", "margin"),
        (
            (m.suspect, m.mirror, m.attack, m.level, m.architecture, m.positive, m.negative, m.margin)
            for m in margins(suspects)
        ),
        seal=False,
    )
    write_csv(folder / BUDGET_FILE, [f.name for f in fields(BudgetPoint)], map(astuple, budget))
