"""Processes that end with their parent, also one that died before they could ask for that."""

import signal
import subprocess
import sys
import textwrap

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process that its parent died")


@linux
def test_a_parent_that_has_died_already_is_noticed():
    """The child writes its id and waits until it is an orphan; its pipe reaches its end as it dies."""
    child = textwrap.dedent(
        """
        import os, signal, sys, time
        from nf.core.processes import die_with_parent
        parent = os.getppid()
        print("begun", flush=True)
        while os.getppid() == parent:
            time.sleep(0.01)
        die_with_parent(signal.SIGKILL, parent)
        print("alive", flush=True)
        """
    )
    parent = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", parent, child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == ""


@linux
def test_a_living_parent_is_not_taken_for_dead():
    code = "import os; from nf.core.processes import die_with_parent as die; die(parent=os.getppid()); print('alive')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "alive\n"


SLOW = """
import os, time
if "PARENT" in os.environ:
    print("importing", flush=True)
    time.sleep(300)
os.environ["PARENT"] = "this"
def initialise():
    pass
"""
MAIN = """
from nf.core.processes import worker_pool
if __name__ == "__main__":
    from slow import initialise
    worker_pool(1, initialise).submit(print).result()
"""


@linux
def test_workers_watch_their_parent_while_they_still_import(tmp_path):
    """Killed outright while a worker imports what its tasks need, a parent leaves none that holds its output."""
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "main.py").write_text(MAIN)
    process = subprocess.Popen([sys.executable, str(tmp_path / "main.py")], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "importing\n"
        process.kill()
        assert process.stdout.read() == ""
