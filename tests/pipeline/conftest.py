"""One real run of the whole pipeline: `dvc repro` of the smoke profile, in a clone of this project."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# A user's own settings must not leak into the clone, nor may its servers be reached.
_DROPPED = ("PREFECT_", "MLFLOW_", "DVC_")


@dataclass(frozen=True)
class Clone:
    """A clone of the project with stores of its own."""

    root: Path

    @property
    def out(self) -> Path:
        return self.root / "out" / "smoke"

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone with its own code first on the path."""
        result = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if check and result.returncode != 0:
            pytest.fail(f"{' '.join(command)}: {result.returncode}\n{result.stdout[-3000:]}\n{result.stderr[-6000:]}")
        return result

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
        bin_folder = str(Path(sys.executable).parent)
        return {**kept, "PYTHONPATH": str(self.root), "PATH": f"{bin_folder}{os.pathsep}{kept['PATH']}"}

    def edit(self, change) -> None:
        """Let ``change`` edit the smoke profile in params.yaml."""
        path = self.root / "params.yaml"
        document = yaml.safe_load(path.read_text())
        change(document["profiles"]["smoke"])
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout


def make_clone(root: Path) -> Clone:
    """Copy what git tracks or would track, choose the smoke profile with two schemes and two variants, and commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    clone = Clone(root)
    document = yaml.safe_load((root / "params.yaml").read_text())
    chosen = {
        "profile": "smoke",
        "gans": ["sagan"],
        "schemes": ["naturalfinger", "akh"],
        "variants": ["label-transform-corrected", "twins"],
        "variant_seeds": [0],
    }
    (root / "params.yaml").write_text(yaml.safe_dump({**document, **chosen}, sort_keys=False))
    clone.git("init", "-q")
    clone.git("add", "-A")
    clone.git("commit", "-qm", "The project")
    return clone


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory) -> Clone:
    """A clone in which ``python -m flows reproduce`` has run, as ``make compare`` does."""
    clone = make_clone(tmp_path_factory.mktemp("clone"))
    clone.run("flows", "reproduce")
    return clone
