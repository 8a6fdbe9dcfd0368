"""The process in which the tests of one mutant run.

It is forked from one that has torch already, which takes longer to import than most tests take. So this file, which is
there before the copy of the project is, imports nothing of the project.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Not what has plugins for pytest: pytest warns of plugins that it could not rewrite.
PRELOADED = ("numpy", "scipy.stats", "sklearn.model_selection", "torch", "safetensors.torch", "_pytest.config")


def run_pytest(tree: Path, output: Path, arguments: Sequence[str]) -> None:
    """Run pytest in ``tree``, with its code first on the path; what it says goes to ``output``, its status is ours."""
    with output.open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    # Compiled files are told apart by second and size: a mutant as long as what it replaces would not be seen.
    sys.dont_write_bytecode = True
    os.environ.update(PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1")
    import pytest

    sys.exit(pytest.main(list(arguments)))
