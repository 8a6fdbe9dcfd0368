"""Who may be at work at once."""

from pathlib import Path

import pytest

from nf.core.errors import ArtifactError
from nf.stages.bench import Bench
from nf.stages.run import Run

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def run(tmp_path):
    return Run.open("smoke", params=PARAMS, out=tmp_path)


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ("zoo", "zoo"),
        ("report", "report@naturalfinger"),
        ("report@akh", "report@naturalfinger"),
        ("detectors@sagan", "detectors@wgan_gp"),
        ("fingerprint@akh", "fingerprint@akh"),
    ],
)
def test_two_that_write_the_same_files_are_not_at_work_at_once(run, held, wanted):
    with run.stage(held), pytest.raises(ArtifactError, match="another run is at work on"), run.stage(wanted):
        pass


@pytest.mark.parametrize(("held", "other"), [("zoo", "export"), ("fingerprint@akh", "fingerprint@random")])
def test_others_are(run, held, other):
    with run.stage(held), run.stage(other):
        pass
    assert run.seconds().keys() == {held, other}


def test_seconds_of_a_stage_stand_under_one_name(run):
    for name in ("report", "report@akh", "detectors@sagan"):
        with run.stage(name):
            pass
    assert run.seconds().keys() == {"report", "detectors"}


def test_what_spreads_over_processes_holds_the_locks_of_its_stages(run):
    with run.stage("variant@label-0"), pytest.raises(ArtifactError, match="another run is at work on variant@label-0"):
        Bench.of(run).work("label-0")
