"""What the stage of the GANs tells the others."""

from pathlib import Path

from nf.gan import HISTORY_FILE
from nf.stages.gan import QUALITY_FILE, trained_gans
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
