"""The ``nf`` command."""

import sys
import traceback

from nf.cli.words import INTERRUPTED
from nf.core.threads import configure_math_libraries

configure_math_libraries()

BUG = 70
"""Exit status after an error that is the project's own; Python's, 1, says of a suspect that it was stolen."""


def main() -> None:
    """Run the command. What a user can put right is one line on standard error and exit status 2.

    A bug keeps its traceback, and ends with status ``BUG``; Ctrl-C ends with ``INTERRUPTED``.
    """
    try:
        sys.exit(_run() or 0)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what was finished is kept, and the same command goes on\n")
        sys.exit(INTERRUPTED)


def _run() -> int | None:
    import click

    from nf.cli.commands import cli
    from nf.core.errors import NFError
    from nf.core.files import keep_private

    keep_private()
    try:
        status: int | None = cli(standalone_mode=False)
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except NFError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            sys.stderr.write("error: this command needs torch, which is not installed here; `nf verify` does without\n")
            return 2
        traceback.print_exc()
        return BUG
    return status
