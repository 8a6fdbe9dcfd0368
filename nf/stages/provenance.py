"""Facts about a run that its records carry: commit, versions, machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("torch", "onnxruntime-gpu", "numpy", "scikit-learn", "prefect", "mlflow", "dvc")


def git_commit(folder: Path = Path()) -> str:
    """The commit of the repository at ``folder``, with ``+changes`` if the tree differs from it.

    Outside git it is the value of ``NF_COMMIT``, as in the images of ``docker/``, or ``unknown``.
    """
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=+changes", "--exclude=*"]
    try:
        described = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("NF_COMMIT") or "unknown"
    return described.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, as far as they are installed, by name."""
    known = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue
    return known


def machine() -> str:
    """Processor architecture and number of cores that this process may use."""
    return f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores"
