"""``nf init``: a model and images of one's own become a profile."""

from dataclasses import replace
from pathlib import Path

import click

from nf.core.config import check_profile_name, load_settings
from nf.core.errors import ConfigError
from nf.core.files import check_writable
from nf.core.interface import state_interface

_FOLDER = Path("profiles")
_SETTINGS = Path("params.yaml")


@click.command()
@click.argument("name")
@click.option(
    "--model",
    required=True,
    help="torchvision:NAME, timm:NAME, hf:FOLDER, PACKAGE.MODULE:FUNCTION, an .onnx or .pt2 file, or an address.",
)
@click.option("--weights", help="File with its weights: safetensors, or a checkpoint of weights alone.")
@click.option(
    "--data",
    required=True,
    help="Images that it learned from: a folder with one sub-folder a class, Parquet, .npz, or a data set of Hugging "
    "Face.",
)
@click.option(
    "--test", help="Images that it did not learn from. [default: test/ or val/ in --data, else a share of it]"
)
@click.option("--others", help="Images of the same classes that it never saw, for independent models.")
@click.option(
    "--unlabelled", help="Images of other things, which a thief may ask it about. [default: --others, else drawn]"
)
@click.option("--input", "words", help="How it is asked, as of `nf verify`. [default: found]")
@click.option("--size", help="Pixels that it takes, as 224 or 240x320. [default: found]")
@click.option(
    "--image-size",
    type=click.Choice(["16", "32", "64", "128"]),
    help="Pixels of the queries. [default: 32; 64 with a GPU]",
)
@click.option(
    "--scheme",
    type=click.Choice(["naturalfinger", "akh"]),
    default="naturalfinger",
    show_default=True,
    help="What the time is for: queries drawn by a GAN, or mistakes of the model, which need none.",
)
@click.option("--minutes", type=click.FloatRange(min=5), help="Minutes for what follows. [default: what it needs]")
@click.option("--force", is_flag=True, help="Write over a profile that is there.")
def init(
    name: str,
    model: str,
    weights: str | None,
    data: str,
    test: str | None,
    others: str | None,
    unlabelled: str | None,
    words: str | None,
    size: str | None,
    image_size: str | None,
    scheme: str,
    minutes: float | None,
    force: bool,
) -> None:
    """Write the profile NAME for a model of your own into profiles/NAME.yaml.

    The model is asked its own test images: how it wants to be asked, how good it is and how long it takes. A network of
    each architecture is trained on its images, to see how long that must learn to be as good. From that, and from the
    speed of this machine, follows how many models there can be. The last line says which command does the rest.
    """
    check_profile_name(name)
    path = _FOLDER / f"{name}.yaml"
    check_writable(path)  # as it takes a minute to get there
    if _SETTINGS.exists() and name in load_settings(_SETTINGS).profiles and not path.exists():
        raise ConfigError(f"name: {name!r} is a profile of {_SETTINGS}; choose another one")
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; --force writes over it")
    # These take seconds: they bring torch.
    from nf.owner import Wishes, check_wanted, introduce, next_step, notes, plan_profile, write_profile

    check_wanted(scheme, minutes)
    wishes = Wishes(model, data, weights, test, others, unlabelled, state_interface(words=words, size=size))
    if image_size is not None:
        wishes = replace(wishes, image_size=int(image_size))
    met = introduce(wishes, click.echo)
    section, costs = plan_profile(met, name, scheme=scheme, minutes=minutes, say=click.echo)
    write_profile(section, name, path, notes(met, name, scheme, costs))
    click.echo(f"this takes {costs}")
    if costs.warning is not None:
        click.echo(f"warning    {costs.warning}")
    if met.own.copied:
        click.echo("thieves    copies that are changed, and students of its answers")
    else:
        click.echo("thieves    students of its answers alone: its weights are not changed, or it is a black box")
    if not met.others:
        click.echo("honest     models trained on your own images alone: nobody else's were given with --others")
    click.echo(f"{path} is written; read it, then {next_step(name, scheme)}")
