"""Faults at seeded moments while stages of a finished run are at work again, and whether the run comes out the same.

``python -m tests.faults.torture --count 60`` goes on where the record was left; ``--finished`` names the ``out`` folder
of a run of the profile ``smoke``, which is made where there is none. Each trial takes a copy of it, forgets part of it,
starts the stage that makes that, and does harm. Then the stage is run again, undisturbed. The trial has held if every
artifact is the one that was there before, byte for byte, and whatever was printed on the way was one line of error.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from nf.core.files import read_json, sha256_file, write_json
from nf.stages.provenance import git_commit, machine
from tests.faults.cluster import cluster

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "results" / "torture.json"
SCHEME = "naturalfinger"
STAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "zoo": (("zoo",), ("zoo/prune-*-source*", "zoo/summary.json")),
    "fingerprint": (("fingerprint", SCHEME), (f"fingerprints/{SCHEME}",)),
    "export": (("export",), ("onnx",)),
    "score": (("score", SCHEME), ("scores",)),
    "evaluate": (("evaluate", SCHEME), ("metrics", "plots")),
}
"""By stage: the command of ``nf``, and patterns of what is forgotten, so that it has to be made again."""

MOST_WRITES = {"zoo": 6, "fingerprint": 6, "export": 20, "score": 3, "evaluate": 6}
"""Files that one process of a stage writes, or more: before one of these it is killed."""

_FAKE_TIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""What Debian's package ``libfaketime`` brings; without it no clock jumps."""

_NOBODY = 65534

UNLIKE = ("timings.json", "report", ".locks", "comparison", "unpacked")
"""What differs from run to run, or is not made by these stages."""


class Trial:
    """One stage in a copy of a finished run.

    Args:
        finished: folder ``out`` of the finished run.
        place: empty folder for the copy.
        stage: key of ``STAGES``.
        rng: source of chance.
    """

    def __init__(self, finished: Path, place: Path, stage: str, rng: random.Random) -> None:
        self.out, self.rng, self.stage = place / "out", rng, stage
        self.params = place / "params.yaml"
        shutil.copy(ROOT / "params.yaml", self.params)
        command, forgotten = STAGES[stage]
        shutil.copytree(finished, self.out)
        self.digests = digests(self.out)
        for pattern in forgotten:
            for path in list((self.out / "smoke").glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        params = ("--profile", "smoke", "--params", str(self.params), "--out", str(self.out))
        self.command = [sys.executable, "-m", "nf", *command, *params]
        self.said: list[str] = []

    def environment(self) -> dict[str, str]:
        """Variables of what runs in it, with the project's own code."""
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(self, **environment: str | None) -> "subprocess.Popen[str]":
        """Start the stage, with variables set, or taken away by ``None``."""
        env = {**self.environment(), **environment}
        return subprocess.Popen(
            self.command,
            cwd=self.params.parent,
            env={name: value for name, value in env.items() if value is not None},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> int:
        """Wait for its end, keep what it said and return its status."""
        self.said.append(process.communicate(timeout=1800)[1])
        return process.returncode

    def fault(self) -> str:
        """What is wrong after the stage has run again; empty if nothing is."""
        again = self.start()
        if status := self.finish(again):
            return f"ended with {status} when it was run again: {self.said[-1][-500:]}"
        if any("Traceback" in said for said in self.said):
            return next(said for said in self.said if "Traceback" in said)[-2000:]
        found = digests(self.out)
        unlike = sorted(name for name in {*found, *self.digests} if found.get(name) != self.digests.get(name))
        return f"differs: {unlike[:5]}" if unlike else ""


def digests(out: Path) -> dict[str, str]:
    """SHA-256 of every artifact by its path; files that a killed process left half-written are among them."""
    paths = (path for path in (out / "smoke").rglob("*") if path.is_file())
    named = ((str(path.relative_to(out / "smoke")), path) for path in paths)
    return {name: sha256_file(path) for name, path in named if not name.startswith(UNLIKE)}


def kill_one(trial: Trial) -> str:
    """SIGKILL for one process of the tree, at a moment of its life."""
    process = trial.start()
    time.sleep(trial.rng.expovariate(1 / 8))
    with suppress(psutil.NoSuchProcess):
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        victim = trial.rng.choice(tree)
        victim.kill()
    trial.finish(process)
    return trial.fault()


def kill_all(trial: Trial) -> str:
    """SIGKILL for the whole tree at once, as a machine that loses power."""
    process = trial.start()
    time.sleep(trial.rng.expovariate(1 / 8))
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    trial.finish(process)
    return trial.fault()


def kill_between_writes(trial: Trial) -> str:
    """SIGKILL for a process, or a worker, right before it writes a file; the folders that it leaves are as they are."""
    search = os.pathsep.join([str(Path(__file__).parent / "at_start"), str(ROOT)])
    write = str(trial.rng.randrange(MOST_WRITES[trial.stage]))
    trial.finish(trial.start(PYTHONPATH=search, KILL_BEFORE_WRITE=write))
    return trial.fault()


def settings_edited(trial: Trial) -> str:
    """Other settings in ``params.yaml`` while the stage is at work, and the old ones before it runs again."""
    before = trial.params.read_text()
    settings = yaml.safe_load(before)
    settings["profiles"]["smoke"]["seed"] += 1
    process = trial.start()
    time.sleep(trial.rng.expovariate(1 / 8))
    trial.params.write_text(yaml.safe_dump(settings))
    status = trial.finish(process)
    trial.params.write_text(before)
    return _told(trial, status) or trial.fault()


def interrupt(trial: Trial) -> str:
    """Ctrl-C."""
    process = trial.start()
    time.sleep(5 + trial.rng.expovariate(1 / 8))
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    trial.finish(process)
    trial.said = [said for said in trial.said if "KeyboardInterrupt" not in said]  # it is allowed to say so
    return trial.fault()


def twice_at_once(trial: Trial) -> str:
    """Two of the same: one works, the other says that it does."""
    first = trial.start()
    time.sleep(trial.rng.uniform(0, 3))
    second = trial.start()
    statuses = sorted((trial.finish(first), trial.finish(second)))
    if statuses not in ([0, 0], [0, 2]):
        return f"two at once ended with {statuses}: {trial.said[-1][-500:]}"
    return trial.fault()


def no_home(trial: Trial) -> str:
    """Neither a home, nor anything else of a user's environment."""
    process = trial.start(HOME=None, USER=None, LOGNAME=None, XDG_CACHE_HOME=None, XDG_STATE_HOME=None)
    return f"status {status}: {trial.said[-1][-500:]}" if (status := trial.finish(process)) else trial.fault()


def no_temporary_space(trial: Trial) -> str:
    """A folder for temporary files that is full."""
    with _mounted("size=4k") as full:
        (full / "filled").write_bytes(b"x" * 4096) if shutil.disk_usage(full).free else None
        status = trial.finish(trial.start(TMPDIR=str(full)))
    return _told(trial, status) or trial.fault()


def another_user(trial: Trial) -> str:
    """A user to whom the run does not belong: root without its powers, before files of somebody else."""
    _give(trial.out, _NOBODY)
    trial.command[:0] = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    status = trial.finish(trial.start())
    del trial.command[:3]
    _give(trial.out, os.geteuid())
    if status != 2:
        return f"ended with {status} before files of another user: {trial.said[-1][-500:]}"
    return _told(trial, status) or trial.fault()


def clock_jumps(trial: Trial) -> str:
    """A clock that leaps by up to a year, forwards or back, again and again."""
    offset = trial.params.with_name("offset")
    offset.write_text("+0")
    process = trial.start(
        LD_PRELOAD=str(_FAKE_TIME),
        FAKETIME_TIMESTAMP_FILE=str(offset),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
        NO_FAKE_STAT="1",
    )
    while process.poll() is None:
        offset.write_text(f"{trial.rng.randint(-(365 * 86400), 365 * 86400):+d}")
        time.sleep(trial.rng.expovariate(1))
    if status := trial.finish(process):
        return f"ended with {status} under a clock that leaps: {trial.said[-1][-500:]}"
    return trial.fault()


def dask_dies(trial: Trial) -> str:
    """SIGKILL for the scheduler or one of two workers, while the zoo is built by them."""
    before, local = trial.params.read_text(), trial.command
    settings = yaml.safe_load(before)
    with cluster(trial.params.parent, trial.environment()) as dask:
        settings["profiles"]["smoke"]["execution"] = {"runner": "dask", "address": dask.address}
        trial.params.write_text(yaml.safe_dump(settings))
        trial.command = [sys.executable, "-m", "flows", "stage", "zoo", "--profile", "smoke"]
        process = trial.start(**dask.environment)
        time.sleep(15 + trial.rng.expovariate(1 / 15))  # the first seconds are Prefect's
        victim = trial.rng.choice([dask.scheduler, *dask.workers])
        victim.kill()
        status = trial.finish(process)
    trial.params.write_text(before)
    trial.command = local
    if status and victim is not dask.scheduler:
        return f"ended with {status} without one of two workers: {trial.said[-1][-500:]}"
    return _told(trial, status) or trial.fault()


def full_disk(trial: Trial) -> str:
    """A disk that has room for some of what is to be written."""
    used = sum(path.stat().st_size for path in trial.out.rglob("*") if path.is_file())
    room = used + (2 << 20) + trial.rng.randrange(1 << 22)
    return _on_disk(trial, f"size={room // 1024}k", ())


def read_only(trial: Trial) -> str:
    """A disk that cannot be written."""
    return _on_disk(trial, "size=2g", ("mount", "-o", "remount,ro"))


def _give(out: Path, user: int) -> None:
    for path in (out, *out.rglob("*")):
        os.chown(path, user, -1)


def _on_disk(trial: Trial, options: str, then: tuple[str, ...]) -> str:
    own = trial.out
    with _mounted(options) as disk:
        shutil.copytree(own, disk / "out")
        trial.command[-1] = str(disk / "out")
        if then:
            subprocess.run([*then, str(disk)], check=True)
        status = trial.finish(trial.start())
        if then:
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        shutil.rmtree(own)
        shutil.copytree(disk / "out", own)  # which has room
    trial.command[-1] = str(own)
    return _told(trial, status) or trial.fault()


def _told(trial: Trial, status: int) -> str:
    """What is wrong about how a stage ended that could not do its work."""
    # The command's own line, or click's about an option.
    errors = [line for line in trial.said[-1].splitlines() if line.startswith(("error: ", "Error: "))]
    if status == 0 or (status == 2 and len(errors) == 1):
        return ""
    return f"ended with {status}: {trial.said[-1][-500:]}"


@contextmanager
def _mounted(options: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


FAULTS: dict[str, Callable[[Trial], str]] = {
    each.__name__.replace("_", " "): each
    for each in (
        *(kill_one, kill_all, kill_between_writes, interrupt, twice_at_once),
        *(settings_edited, no_home, no_temporary_space, full_disk, read_only, another_user),
        *(clock_jumps, dask_dies),
    )
}
OF_ROOT = ("no temporary space", "full disk", "read only", "another user")
"""Those that mount something or give files away."""


def _possible() -> list[str]:
    """Names of the faults that can be done here."""
    here = (name for name in FAULTS if os.geteuid() == 0 or name not in OF_ROOT)
    return [name for name in here if _FAKE_TIME.exists() or name != "clock jumps"]


def run(
    count: int, seed: int, record: Path, finished: Path, *, stages: Sequence[str] = (*STAGES,), only: Sequence[str] = ()
) -> dict[str, Any]:
    """Do trials until ``count`` are in the ``record``, which is written after each; of the faults ``only``, if given.

    The seed and the number of a trial say what it is.
    """
    found: dict[str, Any] = read_json(record) if record.exists() else {}
    if found.get("seed") != seed:
        found = {"seed": seed, "trials": 0, "held": {}, "tried": {}, "faults": [], "seconds": 0}
    # Kills are most of them: their moments are what chance decides.
    faults = list(only) or [*["kill one"] * 6, *["kill all"] * 3, *["kill between writes"] * 3, *FAULTS]
    possible = _possible()
    tried, held = Counter(found["tried"]), Counter(found["held"])
    for number in range(found["trials"], count):
        started, rng = time.monotonic(), random.Random(f"{seed}-{number}")
        while (name := rng.choice(faults)) not in possible:
            pass
        stage = "zoo" if name == "dask dies" else rng.choice(stages)
        with tempfile.TemporaryDirectory() as place:
            fault = FAULTS[name](Trial(finished, Path(place), stage, rng))
        tried[name] += 1
        held[name] += not fault
        if fault:
            found["faults"] = [*found["faults"], {"trial": f"{number}: {name}, {stage}", "said": fault}]
        found |= {
            "what": "faults while a stage of the profile smoke is at work, then the stage once more, undisturbed",
            "trials": number + 1,
            "tried": dict(tried),
            "held": dict(held),
            "seconds": round(found["seconds"] + time.monotonic() - started),
            "commit": git_commit(),
            "machine": machine(),
        }
        write_json(record, found)
        sys.stdout.write(f"{number}: {name}, {stage}: {fault or 'held'}\n")
        sys.stdout.flush()
    return found


def finished_run(out: Path) -> Path:
    """The folder ``out`` of a run that is finished; it is made there if it is not."""
    if not (out / "smoke" / "metrics" / f"{SCHEME}.json").exists():
        parts = ("report", "--profile", "smoke", "--params", str(ROOT / "params.yaml"), "--out", str(out))
        subprocess.run([sys.executable, "-m", "nf", "run", *parts], check=True)
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--only", choices=_possible(), action="append", default=[], help="A fault. [default: all]")
    parser.add_argument("--finished", type=Path, default=ROOT / "out" / "torture")
    options = parser.parse_args()
    run_of = finished_run(options.finished)
    record = run(options.count, options.seed, options.record, run_of, only=options.only)
    sys.exit(bool(record["faults"]))
