"""``python -m flows``: the entry point of ``make repro`` and of every DVC stage."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Literal

from flows.environment import configure

_PARENT = os.getppid()
configure()

import click  # noqa: E402 - the environment is read at import

from flows.inputs import Inputs, check_unedited  # noqa: E402
from flows.server import prefect_server, reported_to_server, wait_for_server  # noqa: E402
from nf.core.errors import NFError  # noqa: E402
from nf.core.processes import die_with_parent  # noqa: E402
from nf.core.threads import configure_math_libraries  # noqa: E402
from nf.core.version import VERSION  # noqa: E402

configure_math_libraries()

# Each run in a docker pool has a container of its own. Artifacts, DVC's cache and runs that MLflow has yet to get are
# what they share.
_VOLUMES = ("naturalfinger_out:/app/out", "naturalfinger_dvc:/app/.dvc", "naturalfinger_runs:/app/.mlflow")


@click.group()
def cli() -> None:
    """Run the pipeline."""


@cli.command()
@click.argument("targets", nargs=-1)
@click.option("--profile", help="Profile to use from now on, which params.yaml then names. [default: the one it names]")
def reproduce(targets: tuple[str, ...], profile: str | None) -> None:
    """Bring everything up to date under one Prefect server, stages side by side; TARGETS are DVC stages."""
    _or_one_line(_reproduce, targets, profile)


def _reproduce(targets: tuple[str, ...], profile: str | None) -> None:
    from flows.dvc import checked_profile, stale_stages, use_profile

    if profile is not None:
        use_profile(profile)
    checked_profile(targets)
    stale = stale_stages(targets)
    if not stale:
        click.echo("Data and pipelines are up to date.")
        return
    with prefect_server(), reported_to_server():
        from flows.pipeline import reproduce as run  # Prefect reads at import which server it has

        run(list(targets), stale)


@cli.command()
@click.argument("name")
@click.option("--profile", help="Profile of params.yaml; by default the one that it names.")
@click.option("--item", help="The scheme, GAN, or variant and seed (twins-0), for stages that have one.")
def stage(name: str, profile: str | None, item: str | None) -> None:
    """Run one stage as a Prefect flow."""
    # Outright, as Prefect would wait for what the stage is at. What it was at is made again.
    die_with_parent(signal.SIGKILL, _PARENT)
    _or_one_line(_stage, name, profile, item)


def _stage(name: str, profile: str | None, item: str | None) -> None:
    before = Inputs.read(name, profile, item)  # before the code of the stage is read
    wait_for_server()
    from flows.stages import run_stage

    with reported_to_server():
        run_stage(name, profile, item)
    check_unedited(before, name, profile, item)


@cli.command()
@click.option("--mlflow-port", default=5000, show_default=True)
@click.option("--prefect-port", default=4200, show_default=True)
def ui(mlflow_port: int, prefect_port: int) -> None:
    """Serve MLflow and Prefect on loopback until interrupted."""
    from flows.ui import serve

    _or_one_line(serve, mlflow_port, prefect_port)


@cli.command()
@click.option("--pool", default="naturalfinger", show_default=True, help="Name of the work pool.")
@click.option("--type", "kind", type=click.Choice(["process", "docker"]), default="process", show_default=True)
@click.option(
    "--image", default=f"naturalfinger:{VERSION}", show_default=True, help="What containers of a docker pool run."
)
@click.option(
    "--volume",
    "volumes",
    multiple=True,
    help="What they mount besides the volumes that runs share, or in the place of the one on the same path.",
)
@click.option("--network", help="Their network, such as `host`. [default: Docker's bridge]")
def deploy(
    pool: str, kind: Literal["process", "docker"], image: str, volumes: tuple[str, ...], network: str | None
) -> None:
    """Register what prefect.yaml lists on the server at PREFECT_API_URL; the pool is created if it is missing."""
    from flows.deploy import Containers
    from flows.deploy import deploy as register

    _or_one_line(register, pool, kind, Containers(image, _mounted(volumes), network))


def _mounted(volumes: Sequence[str]) -> list[str]:
    """``volumes`` beside those that runs share, but for the ones whose place they take."""
    taken = {volume.split(":")[1] for volume in volumes if ":" in volume}
    return [*(shared for shared in _VOLUMES if shared.split(":")[1] not in taken), *volumes]


@cli.command()
def send() -> None:
    """Send to MLflow what was kept while its server was away."""
    from flows.outbox import send as send_kept

    _or_one_line(lambda: click.echo(f"{send_kept()} sent"))


def _or_one_line(command: Callable[..., object], *arguments: object) -> None:
    """Run ``command``; what a user can put right is one line on standard error and exit status 2."""
    try:
        command(*arguments)
    except NFError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    cli()
