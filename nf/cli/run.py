"""``nf run``: everything from the images to the pages, as far as the time allows."""

import importlib.util
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from nf.cli.options import run_options
from nf.core.errors import NFError
from nf.core.paths import RECORD_FOLDER
from nf.core.progress import show_progress
from nf.core.variants import VariantId
from nf.stages.run import Run

_NEEDED = ("torch", "sklearn", "scipy", "pyarrow", "jinja2", "matplotlib", "onnx", "onnxscript", "onnxruntime")


class _Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them."""

    name = "name,name,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if not isinstance(value, str):  # a default
            return ()
        names = tuple(name.strip() for name in value.split(","))
        if not all(names):
            self.fail(f"expected names with commas between them, got {value!r}", param, ctx)
        return names


@click.command()
@click.argument("parts", nargs=-1, metavar="[PART]...")
@click.option("--max-seconds", type=click.FloatRange(min=0), help="Begin nothing after so many. [default: no limit]")
@click.option(
    "--zoo-seconds",
    type=click.FloatRange(min=0),
    help="Begin no model after so many seconds of the zoo; go on to the query sets. [default: no limit]",
)
@click.option("--schemes", type=_Names(), default=(), help="Only these. [default: all of the profile]")
@click.option("--gans", type=_Names(), default=(), help="Also train these. [default: the first]")
@click.option("--variants", type=_Names(), default=(), help="Also these variants of the profile.")
@click.option("--seeds", type=_Names(), default=(), help="Of the variants. [default: 0]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder with cifar10/ and cifar100/ or tiny-imagenet-32/, in them train*.parquet and test*.parquet. "
    "[default: the images that the profile names]",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes that build models. [default: the profile's]")
@click.option("--note", default="", help="What is particular about this run, such as where its images come from.")
@run_options
@click.pass_context
def run(
    ctx: click.Context,
    parts: tuple[str, ...],
    max_seconds: float | None,
    zoo_seconds: float | None,
    schemes: tuple[str, ...],
    gans: tuple[str, ...],
    variants: tuple[str, ...],
    seeds: tuple[str, ...],
    data: Path | None,
    workers: int | None,
    note: str,
    profile: str | None,
    params: Path,
    out: Path,
) -> None:
    """Make what is missing of a run: data, zoo, GANs, queries, scores, metrics, detection and the pages about them.

    With PARTS, such as evaluate@akh, only these and what they need. What is there is kept: a run that was stopped, by
    --max-seconds or otherwise, goes on with the same command. What it found is written to OUT/record. Nothing of
    Prefect, MLflow or DVC is needed.

    On a GPU several models are trained at once only under NVIDIA's multi-process service: start it before with
    `nvidia-cuda-mps-control -d`. Without it the --workers processes take turns.
    """
    _check_installed()
    # These take seconds: they bring torch.
    from nf.stages.costs import CostLog, Utilisation
    from nf.stages.deadline import Deadline
    from nf.stages.graph import Wanted, all_parts, select
    from nf.stages.image_folder import with_images_from
    from nf.stages.record import write_record
    from nf.stages.runner import make_parts

    deadline = Deadline(math.inf if max_seconds is None else max_seconds)
    with show_progress("run") as progress, Utilisation() as utilisation:
        opened = Run.open(profile, params=params, out=out, progress=progress)
        if workers:
            execution = replace(opened.profile.execution, workers=workers)
            opened = replace(opened, profile=replace(opened.profile, execution=execution))
        if data:
            opened = replace(opened, profile=with_images_from(opened.profile, data))
        seeded = [VariantId(name, seed) for name in variants for seed in _numbers(seeds)]
        wanted = Wanted.of(opened.profile, schemes=schemes, gans=gans, variants=seeded)
        seconds = math.inf if zoo_seconds is None else zoo_seconds
        todo = select(all_parts(opened, wanted, deadline, zoo_seconds=seconds), parts)
        costs = CostLog(opened, utilisation)
        missing = make_parts(opened, todo, deadline, costs, begun=click.echo)
    facts = {"parts": costs.parts, "whole": costs.whole, "missing": missing}
    record = write_record(opened, wanted, out / RECORD_FOLDER, note=note, facts=facts)
    click.echo(f"{len(todo) - len(missing)} of {len(todo)} parts are there; {record} says what was found")
    click.echo("\n".join(_lines(missing)), nl=bool(missing))
    if _failures(missing):
        ctx.exit(1)


def _check_installed() -> None:
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        raise NFError(f"expected {', '.join(_NEEDED)}, missing are {', '.join(absent)}: run `pip install '.[train]'`")


def _numbers(seeds: Iterable[str]) -> list[int]:
    try:
        return [int(seed) for seed in seeds] or [0]
    except ValueError:
        raise click.BadParameter(f"expected numbers with commas between them, got {','.join(seeds)!r}") from None


def _failures(missing: Mapping[str, str]) -> dict[str, str]:
    from nf.stages.runner import OUT_OF_TIME

    return {name: reason for name, reason in missing.items() if reason != OUT_OF_TIME}


def _lines(missing: Mapping[str, str]) -> Iterator[str]:
    """What is missing and why: a line for each part that failed, one for all that time did not suffice for."""
    failed = _failures(missing)
    for name, reason in failed.items():
        yield f"{name}: {reason}"
    if left := [name for name in missing if name not in failed]:
        yield f"out of time: {', '.join(left)}; run again to go on"
