"""``nf run`` at its smallest, on the CPU: cut by the clock, then gone on with to the end."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nf.cli.run import run as command
from nf.core.errors import DataError
from nf.core.paths import PAGE_FILE, QUALITY_FILE, SAMPLES_FILE
from nf.data import Splits
from nf.stages import load_stage
from nf.stages.graph import Wanted
from nf.stages.image_folder import with_images_from
from nf.stages.record import write_record
from nf.stages.run import Run
from nf.stages.zoo import missing_models, plan_zoo
from nf.zoo import build_model

ROOT = Path(__file__).resolve().parents[2]
SCHEMES = ("naturalfinger", "akh")
LABEL = "label-0"


def typed(out, *options):
    arguments = ["--profile", "gpu-smoke", "--params", str(ROOT / "params.yaml"), "--out", str(out), *options]
    return CliRunner().invoke(command, arguments)


def in_this_process(out, *options):
    """Status, output and errors of the command, without waiting for the imports of a new process."""
    done = typed(out, *options)
    return done.exit_code, done.stdout, done.stderr


def in_its_own(out, *options):
    """The same as a person runs it."""
    command = [sys.executable, "-m", "nf", "run", "--profile", "gpu-smoke", "--out", out, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, done.stdout, done.stderr


def call(run, out, *options):
    status, said, errors = run(out, "--schemes", ",".join(SCHEMES), "--variants", "label", *options)
    assert status == 0, said + errors
    return json.loads((out / "record" / "gpu-smoke.json").read_text()), said


def build_what_query_sets_are_made_from(out):
    run = Run.open("gpu-smoke", params=ROOT / "params.yaml", out=out)
    load_stage("prepare")(run)
    plan = plan_zoo(run)
    pool = run.profile.zoo.pool
    training = {"source", *pool.positive, *pool.negative}
    calibration = {spec.id for spec in plan.lineage.select(pool="calibration")}
    first = missing_models(run, plan)[: len(training) + len(calibration)]
    assert set(first[: len(training)]) == training
    assert set(first[len(training) :]) == calibration
    assert first[0] == "source"
    splits = Splits.load(run.layout.data)
    for model_id in first:
        build_model(plan, model_id, splits, run.layout.zoo)


def test_it_stops_on_time_and_goes_on_to_the_end(tmp_path):
    record, said = call(in_this_process, tmp_path, "--max-seconds", "0")
    assert set(record["missing"].values()) == {"out of time"}
    assert "0 of 17 parts are there" in said
    assert "out of time: prepare, zoo, export," in said
    assert said.endswith("report, compare; run again to go on\n")
    build_what_query_sets_are_made_from(tmp_path)
    record, said = call(in_this_process, tmp_path, "--zoo-seconds", "0")  # query sets do not wait for the whole zoo
    asking_all = {f"{stage}@{scheme}" for stage in ("score", "evaluate") for scheme in SCHEMES}
    asking_all |= {"export", f"variant@{LABEL}", f"ask-variant@{LABEL}", "report", "compare"}
    assert record["missing"] == dict.fromkeys(["zoo", *asking_all], "out of time")
    assert {"gan@sagan", "fingerprint@naturalfinger", "fingerprint@akh"} < record["parts"].keys()
    record, said = call(in_its_own, tmp_path)
    assert record["missing"] == {}
    assert set(record["schemes"]) == set(record["detection"]) == set(SCHEMES)
    assert 0 <= record["schemes"]["naturalfinger"]["aruc_low"] <= record["schemes"]["naturalfinger"]["aruc"]
    assert record["zoo"]["accuracies"].keys() == {path.name for path in (tmp_path / "gpu-smoke" / "zoo").glob("*/")}
    assert record["parts"]["zoo"]["seconds"] > 0
    assert {path.name for path in (tmp_path / "record" / "gpu-smoke").iterdir()} == {"queries.png", "samples.png"}
    for page in ("report", "comparison"):
        assert (tmp_path / "gpu-smoke" / page / PAGE_FILE).exists()
    again, said = call(in_this_process, tmp_path)
    assert again["parts"] == record["parts"]  # nothing was made anew
    assert said.splitlines() == [f"17 of 17 parts are there; {tmp_path}/record/gpu-smoke.json says what was found"]
    a_detectors_second_gan_can_be_stopped(tmp_path)


def a_detectors_second_gan_can_be_stopped(out):
    class StoppedError(Exception):
        pass

    def stop(done, total, what):
        assert (done, total, what) == (10, 60, "a second sagan")
        raise StoppedError

    run = Run.open("gpu-smoke", params=ROOT / "params.yaml", out=out, progress=stop)
    shutil.rmtree(run.layout.decoy("sagan"))
    with pytest.raises(StoppedError):
        load_stage("detectors")(run, "sagan")


def test_pictures_of_one_profile_do_not_take_the_place_of_anothers(tmp_path):
    folder = tmp_path / "record"
    for name in ("smoke", "gpu-smoke"):
        run = Run.open(name, params=ROOT / "params.yaml", out=tmp_path)
        gan = run.layout.gan("sagan")
        gan.mkdir(parents=True)
        (gan / SAMPLES_FILE).write_text(name)
        (gan / QUALITY_FILE).touch()
        write_record(run, Wanted(schemes=(), gans=("sagan",), variants=()), folder, facts={})
    for name in ("smoke", "gpu-smoke"):
        assert (folder / name / SAMPLES_FILE).read_text() == name
        assert (folder / f"{name}.json").exists()


def test_what_fails_is_said_and_the_status_is_1(tmp_path):
    broken = tmp_path / "gpu-smoke" / "data"
    broken.parent.mkdir()
    broken.touch()  # a file in the place of the folder
    done = typed(tmp_path, "evaluate@akh")
    assert done.exit_code == 1
    prepare, zoo = done.output.splitlines()[-6:-4]
    assert prepare.startswith(f"prepare: cannot write {broken}")
    assert zoo == "zoo: needs prepare, which is missing"
    record = json.loads((tmp_path / "record" / "gpu-smoke.json").read_text())
    assert set(record["missing"]) == {
        "prepare",
        "zoo",
        "export",
        *(f"{s}@akh" for s in ("fingerprint", "score", "evaluate")),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--schemes", "akh,"], "expected names with commas between them, got 'akh,'"),
        (["--variants", "label", "--seeds", "0,one"], "expected numbers with commas between them, got '0,one'"),
    ],
)
def test_lists_that_cannot_be_read_are_refused(tmp_path, options, message):
    done = typed(tmp_path, *options)
    assert done.exit_code == 2
    assert message in done.output


def test_images_from_a_folder_take_the_place_of_the_profiles(tmp_path):
    profile = Run.open("cifar10-small", params=ROOT / "params.yaml", out=tmp_path).profile
    with pytest.raises(DataError, match=r"--data: expected cifar10/train\*\.parquet in .*, got none"):
        with_images_from(profile, tmp_path)
    files = [tmp_path / name for name in ("cifar10/train-0", "cifar10/test-0", "tiny-imagenet-32/train")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.with_suffix(".parquet").touch()
    data = with_images_from(profile, tmp_path).data
    assert (data.source.kind, data.source.train, data.source.test) == (
        "parquet",
        *(f"{file}.parquet" for file in files[:2]),
    )
    assert (data.knockoff.train, data.knockoff.test) == (f"{files[2]}.parquet", None)
    assert data.knockoff.images == profile.data.knockoff.images
    (tmp_path / "cifar10" / "train-1.parquet").touch()
    with pytest.raises(DataError, match=r"expected one cifar10/train\*\.parquet in .*, got 2; join them"):
        with_images_from(profile, tmp_path)
