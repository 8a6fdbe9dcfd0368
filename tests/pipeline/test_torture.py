"""A small part of ``make torture``, of which the rest takes hours."""

import os
import random

import pytest

from nf.core.files import read_json
from tests.faults.torture import Trial, run

SEED = 100  # whose first two trials kill the stage before the third file that it writes, and fill a disk


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_stage_that_is_killed_and_one_without_room_come_out_the_same(reproduced, tmp_path):
    record = tmp_path / "torture.json"
    found = run(2, SEED, record, reproduced.root / "out", stages=("fingerprint",))
    assert found["faults"] == []
    assert found["held"] == {"kill between writes": 1, "full disk": 1}
    assert run(2, SEED, record, reproduced.root / "out") == read_json(record)  # a run that is cut goes on


def test_what_was_not_made_again_is_seen(reproduced, tmp_path):
    trial = Trial(reproduced.root / "out", tmp_path, "evaluate", random.Random(0))
    trial.command = ["true"]
    assert trial.fault().startswith("differs: ['metrics/akh.json'")
