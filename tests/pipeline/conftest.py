"""One real run of the whole pipeline, of the smoke profile in a clone of this project, and servers for it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# A user's own settings must not leak into the clone, nor may its servers be reached.
_DROPPED = ("PREFECT_", "MLFLOW_", "DVC_")


@dataclass(frozen=True)
class Clone:
    """A clone of the project with stores of its own; ``settings`` are environment variables of all that runs there."""

    root: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.root / "out" / "smoke"

    def run(self, *command: str, check: bool = True, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone, or in ``folder``, with the clone's code first on the path."""
        result = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder or self.root,
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
        own = {"PYTHONPATH": str(self.root), "PATH": f"{bin_folder}{os.pathsep}{kept['PATH']}"}
        return {**kept, **own, **self.settings}

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


@pytest.fixture
def project(tmp_path) -> Clone:
    """A clone in which nothing has run yet."""
    return make_clone(tmp_path / "project")


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory, made_once) -> Clone:
    """A clone in which ``python -m flows reproduce`` has run, as ``make compare`` does.

    Of processes that test side by side the first makes it, and each gets a copy of its own.
    """
    original = made_once("reproduced", _reproduce)
    root = tmp_path_factory.mktemp("copy") / "clone"
    shutil.copytree(original, root, symlinks=True)
    return Clone(root)


def _reproduce(root: Path) -> None:
    clone = make_clone(root)
    clone.run("flows", "reproduce")


@pytest.fixture(scope="session")
def forget_a_third() -> Callable[[Path], int]:
    """Delete the mirror and what was stolen from it, but for what takes longest; returns how many models are left."""

    def forget(zoo: Path) -> int:
        for folder in zoo.glob("*mirror"):
            if not folder.name.startswith("adversarial"):
                shutil.rmtree(folder)
        return len(list(zoo.glob("*/card.json")))

    return forget


def _hear_ctrl_c() -> None:
    """Where a shell started the tests in the background, it told all of them to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Services:
    """Processes in the background, each with a log."""

    logs: Path
    processes: list[subprocess.Popen] = field(default_factory=list)

    def start(self, clone: Clone, *command: str) -> subprocess.Popen:
        """Run a command in the clone like ``Clone.run``, without waiting for its end, in a group like a shell's job."""
        with self._log_of(len(self.processes)).open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=clone.root,
                env=clone.environment(),
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=_hear_ctrl_c,
            )
        self.processes.append(process)
        return process

    def start_prefect(self, clone: Clone, **settings: str) -> Clone:
        """The clone under a Prefect server of its own, which answers, with ``settings`` for the server and all else."""
        port = self.free_port()
        url = f"http://127.0.0.1:{port}/api"
        own = {
            "PREFECT_HOME": str(clone.root / ".prefect"),
            "PREFECT_API_URL": url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "true",
        }
        served = replace(clone, settings={**clone.settings, **own, **settings})
        place = ("--host", "127.0.0.1", "--port", str(port))
        server = self.start(served, "prefect", "server", "start", *place, "--no-ui")
        self.wait_for(lambda: self.answers(f"{url}/health"), server)
        return served

    def log(self, process: subprocess.Popen) -> str:
        return self._log_of(self.processes.index(process)).read_text()

    def wait_for(self, what: Callable[[], object], process: subprocess.Popen, seconds: float = 300) -> None:
        """Poll ``what`` until it is true; fail if ``process`` ends before or time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if what():
                    return
            except OSError:
                pass
            time.sleep(0.1)
        pytest.fail(f"{process.args} did not get there: {process.poll()}\n{self.log(process)[-3000:]}")

    def wait_for_end(self, process: subprocess.Popen, seconds: float) -> None:
        """Wait until ``process`` ends; fail if it does not in time, with what it and its children were at."""
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            left = [(each.pid, each.status(), each.cmdline()) for each in psutil.Process(process.pid).children(True)]
            pytest.fail(f"{process.args} did not end\n{self.log(process)[-3000:]}\n{left}")

    def stop(self) -> None:
        """End them, the last first, as one that reports to a server waits long for a server that is gone."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @staticmethod
    def free_port() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    @staticmethod
    def answers(url: str) -> bool:
        with urllib.request.urlopen(url, timeout=5):
            return True

    def _log_of(self, index: int) -> Path:
        return self.logs / f"{index}.log"


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Servers and workers that are stopped when a module's tests are over."""
    services = Services(tmp_path_factory.mktemp("services"))
    try:
        yield services
    finally:
        services.stop()
