"""``nf bench``: every scheme against every suspect, as one table."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nf.cli.options import run_options
from nf.core.progress import show_progress
from nf.stages.run import Run

if TYPE_CHECKING:
    from nf.stages.bench import BenchRow


@click.command()
@click.argument("schemes", nargs=-1)
@click.option("--fresh", is_flag=True, help="Make all query sets again, also those that are up to date.")
@run_options
def bench(schemes: tuple[str, ...], profile: str | None, fresh: bool, params: Path, out: Path) -> None:
    """Run SCHEMES, by default all that the profile has a section for, against every suspect, and print one table.

    Data, zoo, GAN and ONNX files must be there. A query set is kept if it was made with these settings from these
    models.
    """
    from nf.stages import bench as stage  # takes seconds: it brings torch

    with show_progress("bench") as progress:
        run = Run.open(profile, params=params, out=out, progress=progress)
        rows = stage.bench(run, schemes or tuple(run.profile.schemes), fresh=fresh)
    click.echo("\n".join(_lines(rows)))


def _lines(rows: Iterable["BenchRow"]) -> Iterator[str]:
    yield f"{'scheme':<15} {'ARUC':<22} {'AUC':<6} {'TPR at FPR 0':<13} {'found':<9} {'accused':<9} seconds"
    for row in rows:
        metrics, errors = row.metrics, row.metrics["at_threshold"]
        aruc = f"{metrics['aruc']:.3f} ({metrics['aruc_low']:.3f}-{metrics['aruc_high']:.3f})"
        found = f"{errors['positives'] - errors['false_negatives']}/{errors['positives']}"
        accused = f"{errors['false_positives']}/{errors['negatives']}"
        yield (
            f"{row.scheme:<15} {aruc:<22} {metrics['roc_auc']:<6.3f} {metrics['tpr_at_fpr_0']:<13.3f} "
            f"{found:<9} {accused:<9} {row.seconds:.0f}"
        )
