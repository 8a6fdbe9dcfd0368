"""What Python runs first where this folder is in PYTHONPATH: a process that is to be killed at a write of its own."""

import os

from tests.faults.writes import kill_before

if "KILL_BEFORE_WRITE" in os.environ:
    kill_before(int(os.environ["KILL_BEFORE_WRITE"]))
