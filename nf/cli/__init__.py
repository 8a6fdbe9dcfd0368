"""The ``nf`` command."""

import os
import sys
import traceback

from nf.cli.words import INTERRUPTED, UNREAD
from nf.core.printing import printable
from nf.core.threads import configure_math_libraries

configure_math_libraries()

BUG = 70
"""Exit status after an error that is the project's own; Python's, 1, says of a suspect that it was stolen."""


def main() -> None:
    """Run the command. What a user can put right is one line on standard error and exit status 2.

    A bug keeps its traceback, and ends with status ``BUG``; Ctrl-C ends with ``INTERRUPTED``, and a reader of the
    output who has gone with ``UNREAD``.
    """
    try:
        status = _run_or_stop()
    except BrokenPipeError:
        status = UNREAD
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # or Python writes there, and changes the status
    sys.exit(status)


def _run_or_stop() -> int:
    try:
        return _run() or 0
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what was finished is kept, and the same command goes on\n")
        return INTERRUPTED


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
    except SystemExit as ended:
        # No verdict, whose status click returns; it ends so, with 1, where nobody reads what it prints.
        if ended.code == 1:
            return UNREAD
        return BUG if ended.code else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except NFError as error:
        sys.stderr.write(f"error: {printable(str(error))}\n")
        return 2
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            sys.stderr.write("error: this command needs torch, which is not installed here; `nf verify` does without\n")
            return 2
        traceback.print_exc()
        return BUG
    return status
