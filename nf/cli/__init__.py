"""The ``nf`` command."""

import sys

from nf.core.threads import configure_math_libraries

configure_math_libraries()


def main() -> None:
    """Run the command. What a user can put right is one line on standard error and exit status 2."""
    from nf.cli.commands import cli
    from nf.core.errors import NFError

    try:
        cli()
    except NFError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        sys.stderr.write("error: this command needs torch, which is not installed here; `nf verify` does without\n")
        sys.exit(2)
