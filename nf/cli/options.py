"""Options that most commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

profile_option = click.option(
    "--profile", help="Profile of params.yaml or profiles/. [default: the one that params.yaml names]"
)
params_option = click.option(
    "--params", type=click.Path(path_type=Path), default=Path("params.yaml"), show_default=True, help="Settings."
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out"), show_default=True, help="Where artifacts go."
)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--profile``, ``--params`` and ``--out``: what ``Run.open`` takes."""
    return profile_option(params_option(out_option(command)))
