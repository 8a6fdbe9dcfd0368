"""``nf zoo``: build FingerBench, whole or in parts, and carry parts of it between machines."""

from pathlib import Path

import click
from click.core import ParameterSource

from nf.cli.options import run_options
from nf.core.progress import show_progress
from nf.stages.run import Run


@click.group(invoke_without_command=True, short_help="Build what is missing of FingerBench; pack and unpack models.")
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Begin no model after so many seconds. [default: build all]",
)
@run_options
@click.pass_context
def zoo(ctx: click.Context, profile: str | None, params: Path, out: Path, max_seconds: float | None) -> None:
    """Build what is missing of FingerBench. A run that was killed or cut goes on where it was."""
    if ctx.invoked_subcommand is not None:
        if any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in ctx.params):
            raise click.UsageError(f"write the options after the command: nf zoo {ctx.invoked_subcommand} …", ctx)
        return
    from nf.stages import zoo as stage  # takes seconds: it brings torch

    with show_progress("zoo") as progress:
        run = Run.open(profile, params=params, out=out, progress=progress)
        with run.stage("zoo"):
            reached = stage.zoo(run, max_seconds=max_seconds)
    if reached.built < reached.total:
        click.echo(f"{reached.built} of {reached.total} models built; run again to go on")
    else:
        click.echo(reached.folder)


@zoo.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--piece-mib", type=click.IntRange(min=1), default=16, show_default=True, help="Largest size of a piece, in MiB."
)
@run_options
def pack(folder: Path, piece_mib: int, profile: str | None, params: Path, out: Path) -> None:
    """Write the finished models as pieces into FOLDER. Models that its pieces hold already are left out."""
    from nf.stages import zoo as stage

    run = Run.open(profile, params=params, out=out)
    packed = stage.pack_zoo(run, folder, piece_bytes=piece_mib * 2**20)
    click.echo(f"{packed.models} models packed into {len(packed.pieces)} new pieces in {folder}")


@zoo.command()
@click.argument("folder", type=click.Path(path_type=Path))
@run_options
def unpack(folder: Path, profile: str | None, params: Path, out: Path) -> None:
    """Bring the models of the pieces in FOLDER into the zoo; `nf zoo` rebuilds those with other settings."""
    from nf.stages import zoo as stage

    run = Run.open(profile, params=params, out=out)
    with run.lock_stage("zoo"):
        unpacked = stage.unpack_zoo(run, folder)
    click.echo(f"{unpacked.written} models unpacked, {unpacked.kept} were there")
    if unpacked.incomplete:
        click.echo(f"not whole, as pieces are missing: {', '.join(unpacked.incomplete)}")
