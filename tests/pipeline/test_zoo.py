"""The zoo's promises: resumed after a kill, rebuilt where damaged or changed, and nothing else."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nf.core.files import sha256_file


def weights(folder):
    return {path.parent.name: sha256_file(path) for path in sorted(folder.glob("*/weights.safetensors"))}


def times(folder):
    return {path.parent.name: path.stat().st_mtime_ns for path in sorted(folder.glob("*/card.json"))}


@pytest.fixture
def work(reproduced, tmp_path):
    """A folder of artifacts with the data and the zoo of the reproduced run."""
    for name in ("data", "zoo"):
        shutil.copytree(reproduced.out / name, tmp_path / "smoke" / name)
    return tmp_path


def build(clone, out):
    return clone.run("nf", "zoo", "--out", str(out))


def test_killed_and_resumed_gives_the_same_bytes(reproduced, work, forget_a_third):
    """SIGKILL in the middle; the second run keeps what was finished and ends where an uninterrupted one does."""
    zoo = work / "smoke" / "zoo"
    kept = forget_a_third(zoo)
    process = subprocess.Popen(
        [sys.executable, "-m", "nf", "zoo", "--out", str(work)],
        cwd=reproduced.root,
        env=reproduced.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while len(list(zoo.glob("*/card.json"))) < kept + 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    time.sleep(2)  # the workers notice that their parent is gone
    assert not _processes_in(process.pid)
    before = times(zoo)
    assert kept + 3 <= len(before) < 45
    build(reproduced, work)
    after = times(zoo)
    assert {name: after[name] for name in before} == before
    assert weights(zoo) == weights(reproduced.out / "zoo")


def _processes_in(session):
    """Those that run. Who died as an orphan stays listed until init collects it, which may take seconds."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, status = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()[0]
            if os.getsid(pid) == session and status != "Z":
                found.append(pid)
        except (ProcessLookupError, FileNotFoundError):
            continue
    for process in found:
        os.kill(process, signal.SIGKILL)
    return found


def test_damaged_changed_and_strange_models(reproduced, work):
    """What is damaged or has new settings is built again, what the plan does not list is deleted, the rest is kept."""
    zoo = work / "smoke" / "zoo"
    before = times(zoo)
    path = zoo / "prune-0.5-mirror" / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    shutil.copytree(zoo / "source", zoo / "unlisted")

    def longer(smoke):
        attacks = smoke["zoo"]["attacks"]  # several attacks share one mapping
        attacks["finetune"] = {**attacks["finetune"], "epochs": 2}

    reproduced.edit(longer)
    try:
        result = build(reproduced, work)
    finally:
        reproduced.git("checkout", "-q", "params.yaml")
    assert "does not match the hash in its card; building prune-0.5-mirror again" in result.stderr.replace("\n", " ")
    after = times(zoo)
    changed = {name for name in before if name.startswith("finetune-")}
    assert {"finetune-FTAL-source", "finetune-FTAL-mirror"} < changed  # of calibration models, too
    assert after.keys() == before.keys()
    assert {name for name in before if after[name] != before[name]} == {"prune-0.5-mirror"} | changed
    expected, found = weights(reproduced.out / "zoo"), weights(zoo)
    assert found.keys() == expected.keys()
    assert {name for name in expected if found[name] != expected[name]} == changed
