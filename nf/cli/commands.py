"""The commands of ``nf``: one per stage, ``run``, ``bench``, ``verify`` for a suspect from outside, and ``list``."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import click

from nf.cli.bench import bench
from nf.cli.commit import commit
from nf.cli.gan import gan
from nf.cli.images import images
from nf.cli.init import init
from nf.cli.options import params_option, profile_option, run_options
from nf.cli.replay import replay
from nf.cli.run import run as run_command
from nf.cli.verify import verify
from nf.cli.zoo import zoo
from nf.core.progress import show_progress
from nf.core.version import VERSION
from nf.stages import load_stage
from nf.stages.run import Run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="nf")
def cli() -> None:
    """Prove that a classifier was stolen, by asking it a hundred natural-looking images.

    `nf init` writes a profile for a model of your own, `nf run` makes a whole run of it, `make repro` the same through
    DVC, Prefect and MLflow. These commands run its stages one by one, in this order: prepare, zoo, gan, fingerprint,
    export, score, evaluate, report; then detectors, detect, variant, compare. `nf bench` compares schemes, `nf verify`
    checks a suspect, `nf images` writes queries as pictures. `nf commit` promises a query set beforehand, `nf replay`
    repeats a judgement from its evidence.
    """


cli.add_command(init)
cli.add_command(gan)
cli.add_command(verify)
cli.add_command(commit)
cli.add_command(replay)
cli.add_command(images)
cli.add_command(bench)
cli.add_command(run_command)
cli.add_command(zoo)


def _run_stage(name: str, item: str | None, profile: str | None, params: Path, out: Path) -> None:
    with show_progress(name) as progress:
        run = Run.open(profile, params=params, out=out, progress=progress)
        with run.stage(f"{name}@{item}" if item else name):
            stage = load_stage(name)  # takes seconds: it brings torch
            written = stage(run, item) if item else stage(run)
    click.echo(written)


def _add_stage(
    command: str, text: str, *, stage: str | None = None, item: str | None = None, group: click.Group = cli
) -> None:
    def run(profile: str | None, params: Path, out: Path, **chosen: str) -> None:
        _run_stage(stage or command, chosen.get("item"), profile, params, out)

    function: Callable[..., Any] = run_options(run)
    if item:
        function = click.argument("item", metavar=item.upper())(function)
    group.command(command, help=text, short_help=text.splitlines()[0])(function)


_add_stage("prepare", "Read the images and split them.")
_add_stage("train", "Train the GAN called GAN on the owner's images.", stage="gan", item="gan", group=gan)
_add_stage("fingerprint", "Make the query set of SCHEME.", item="scheme")
_add_stage("export", "Write every model of the zoo as ONNX and check it against torch.")
_add_stage("score", "Ask every suspect of the zoo the queries of SCHEME.", item="scheme")
_add_stage("evaluate", "ARUC, margins, ROC and intervals of SCHEME.", item="scheme")
_add_stage("report", "Write the HTML report about SCHEME.", item="scheme")
_add_stage("detectors", "Train a thief's detectors for queries that GAN draws.", item="gan")
_add_stage("detect", "How many queries of SCHEME a thief's detectors find.", item="scheme")
_add_stage("variant", "Make and evaluate VARIANT, as <name>-<seed>.", item="variant")
_add_stage("compare", "Write the comparison of all schemes.")


@gan.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the new GAN; a scheme's section names it as `gan`.")
@click.option("--latent-dim", type=int, required=True, help="Number of dimensions of its latent.")
@click.option("--prior", type=click.Choice(["normal", "uniform"]), default="normal", show_default=True)
@click.option(
    "--range",
    "limits",
    type=(float, float),
    default=(-1.0, 1.0),
    show_default=True,
    help="Values of black and white pixels.",
)
@click.option("--classes", type=int, default=0, show_default=True, help="Number of classes; 0: it takes no labels.")
@click.option("--discriminator", type=click.Path(path_type=Path), help="Its discriminator, another exported program.")
@click.option("--loss", type=click.Choice(["hinge", "wasserstein"]), default="hinge", show_default=True)
@run_options
def import_gan(
    file: Path,
    name: str,
    latent_dim: int,
    prior: Literal["normal", "uniform"],
    limits: tuple[float, float],
    classes: int,
    discriminator: Path | None,
    loss: Literal["hinge", "wasserstein"],
    profile: str | None,
    params: Path,
    out: Path,
) -> None:
    """Check a generator of one's own and let it in, ready for `nf fingerprint`.

    FILE is what `torch.export.save` writes, for inputs with a dynamic first dimension; docs/gans.md shows how. Import
    only files that you made or trust.
    """
    from nf.gan import ImportedConfig
    from nf.stages.gan import import_generator

    config = ImportedConfig(latent_dim, prior, *limits, loss)
    run = Run.open(profile, params=params, out=out)
    with run.stage(f"gan@{name}"):
        click.echo(import_generator(run, name, config, file, discriminator=discriminator, num_classes=classes))


@cli.command("list")
@click.argument("what", type=click.Choice(["architectures", "attacks", "gans", "schemes", "models"]))
@params_option
@profile_option
def list_names(what: str, params: Path, profile: str | None) -> None:
    """List what there is to choose from; for models also what each is and where it comes from."""
    if what == "models":
        from nf.core.config import load_profile
        from nf.zoo import fingerbench

        for spec in fingerbench(load_profile(params, profile).zoo).specs:
            origin = f"from {spec.parent}" if spec.parent else f"on split {spec.data}"
            click.echo(f"{spec.id:<42} {spec.pool:<9} {spec.role:<9} {spec.architecture:<14} {origin}")
        return
    registries = {
        "architectures": ("nf.models", "ARCHITECTURES"),
        "attacks": ("nf.attacks", "ATTACKS"),
        "gans": ("nf.gan", "GANS"),
        "schemes": ("nf.fingerprints", "SCHEMES"),
    }
    module, registry = registries[what]
    for name in getattr(import_module(module), registry):
        click.echo(name)
