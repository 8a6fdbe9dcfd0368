"""``nf gan``: train a GAN, or let one in from outside; the subcommands stand in ``nf.cli.commands``."""

import click


class _TrainByName(click.Group):
    """``nf gan NAME`` is short for ``nf gan train NAME``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["train", *args])


@click.group(
    cls=_TrainByName,
    # Options of `train` may stand before the name.
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    subcommand_metavar="GAN | import FILE",
    short_help="Train the GAN called GAN, or import a generator of one's own.",
)
def gan() -> None:
    """Train the GAN called GAN on the owner's images, or import a generator of one's own."""
