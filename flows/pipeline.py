"""``reproduce``: the whole pipeline as one flow; each DVC stage in it reports as a flow of its own."""

import os
import subprocess
import sys
from pathlib import Path

from flows.environment import ROOT, configure

configure()

from prefect import flow  # noqa: E402 - the environment is read at import

from flows.server import die_with_parent  # noqa: E402
from nf.core.errors import NFError  # noqa: E402


def dvc(*arguments: str) -> int:
    """Run a DVC command in the project and return its exit status."""
    # DVC calls `python`: it must be this one, also where the environment is not activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # A stage is a run of its own: it must not take itself for the one that Prefect started here.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=ROOT,
        env={**inherited, "PATH": path},
        check=False,
        preexec_fn=die_with_parent,
    ).returncode


@flow(name="reproduce")
def reproduce(targets: list[str] | None = None) -> None:
    """Bring ``targets``, stages of ``dvc.yaml``, and what they need up to date; without targets everything.

    Raises:
        NFError: a stage failed; its own lines say why.
    """
    status = dvc("repro", *(targets or []))
    if status:
        raise NFError(f"expected `dvc repro` to succeed, it ended with status {status}; the log of this run says where")
