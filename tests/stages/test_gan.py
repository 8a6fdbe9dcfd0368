"""What the stage of the GANs tells the others."""

from dataclasses import replace
from pathlib import Path

import pytest

from nf.core.files import read_json
from nf.core.paths import HISTORY_FILE, QUALITY_FILE
from nf.models.checkpoint import save_model
from nf.stages.gan import gan, trained_gans
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parents[2]


def test_a_gan_counts_once_its_training_has_ended(tmp_path):
    run = Run.open("smoke", params=ROOT / "params.yaml", out=tmp_path)
    for name, files in {
        "sagan": (HISTORY_FILE, QUALITY_FILE),
        "logan": (HISTORY_FILE,),
        "wgan_gp": (QUALITY_FILE,),
    }.items():
        run.layout.gan(name).mkdir(parents=True)
        for file in files:
            (run.layout.gan(name) / file).touch()
    assert trained_gans(run) == ["sagan"]


SETTINGS = {
    "latent_dim": 12,
    "generator_channels": 8,
    "discriminator_channels": 8,
    "steps": 12,
    "batch_size": 8,
    "checkpoint_every": 12,
}


class Killed(BaseException):
    pass


def test_a_finished_gan_is_only_measured_and_one_that_trains_anew_has_no_quality(tmp_path, splits, build, victims):
    run = Run.open("smoke", params=ROOT / "params.yaml", out=tmp_path)
    run = replace(run, profile=replace(run.profile, gans={"sagan": SETTINGS}))
    splits.save(run.layout.data)
    save_model(run.layout.zoo / "source", victims["source"], build, {"architecture": "resnet18"})

    def die(*_):
        raise Killed

    folder = gan(run, "sagan")
    quality = read_json(folder / QUALITY_FILE)
    (folder / QUALITY_FILE).unlink()
    gan(replace(run, progress=die), "sagan")
    assert read_json(folder / QUALITY_FILE) == quality

    # Beside another source model its history would speak of the former one.
    save_model(run.layout.zoo / "source", victims["mirror"], build, {"architecture": "resnet18"})
    with pytest.raises(Killed):
        gan(replace(run, progress=die), "sagan")
    assert trained_gans(run) == []
    assert not (folder / QUALITY_FILE).exists()
