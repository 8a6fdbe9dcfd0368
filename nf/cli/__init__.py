"""The ``nf`` command."""

import sys
import traceback

from nf.core.threads import configure_math_libraries

configure_math_libraries()

BUG = 70
"""Exit status after an error that is the project's own; Python's, 1, says of a suspect that it was stolen."""


def main() -> None:
    """Run the command. What a user can put right is one line on standard error and exit status 2.

    A bug keeps its traceback, and ends with status ``BUG``.
    """
    from nf.cli.commands import cli
    from nf.core.errors import NFError
    from nf.core.files import keep_private

    keep_private()
    try:
        cli()
    except NFError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            sys.stderr.write("error: this command needs torch, which is not installed here; `nf verify` does without\n")
            sys.exit(2)
        traceback.print_exc()
        sys.exit(BUG)
