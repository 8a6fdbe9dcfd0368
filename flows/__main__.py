"""``python -m flows``: the entry point of ``make repro`` and of every DVC stage."""

import os
import subprocess
import sys

from flows.environment import ROOT, configure

configure()

import click  # noqa: E402 - the environment is read at import

from nf.core.errors import NFError  # noqa: E402
from nf.core.threads import configure_math_libraries  # noqa: E402

configure_math_libraries()


@click.group()
def cli() -> None:
    """Run the pipeline."""


@cli.command()
@click.argument("targets", nargs=-1)
def reproduce(targets: tuple[str, ...]) -> None:
    """Bring everything up to date (`dvc repro`) under one Prefect server; TARGETS are DVC stages."""
    from flows.server import die_with_parent, prefect_server

    with prefect_server():
        # DVC calls `python`: it must be this one, also where the environment is not activated.
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}"  # noqa: PTH120
        command = [sys.executable, "-m", "dvc", "repro", *targets]
        result = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PATH": path}, check=False, preexec_fn=die_with_parent
        )
    sys.exit(result.returncode)


@cli.command()
@click.argument("name")
@click.option("--profile", help="Profile of params.yaml; by default the one that it names.")
@click.option("--item", help="The scheme or GAN, for stages that have one.")
def stage(name: str, profile: str | None, item: str | None) -> None:
    """Run one stage as a Prefect flow."""
    from flows.server import die_with_parent
    from flows.stages import run_stage

    die_with_parent()
    try:
        run_stage(name, profile, item)
    except NFError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


@cli.command()
@click.option("--mlflow-port", default=5000, show_default=True)
@click.option("--prefect-port", default=4200, show_default=True)
def ui(mlflow_port: int, prefect_port: int) -> None:
    """Serve MLflow and Prefect on loopback until interrupted."""
    from flows.ui import serve

    serve(mlflow_port, prefect_port)


if __name__ == "__main__":
    cli()
