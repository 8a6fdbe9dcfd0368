"""Stage ``gan``: train a GAN on the owner's images and measure its samples in the eyes of the source model."""

from pathlib import Path

import torch

from nf.core.files import write_json
from nf.core.lineage import SOURCE_ID
from nf.core.sections import parse_section
from nf.core.seeds import derive_seed
from nf.data import Splits, to_float
from nf.gan import sample_quality, train_gan
from nf.gan.registry import find_gan
from nf.models import load_model
from nf.stages.run import Run

QUALITY_FILE = "quality.json"


def gan(run: Run, name: str) -> Path:
    """Train the GAN ``name`` on split A and return its folder; a killed run goes on from its last checkpoint.

    ``quality.json`` holds the Fréchet distance on the source model's features, named after its architecture, the
    agreement of its labels with the conditioning ones, coverage of the classes and balance.

    Raises:
        UnknownNameError: the profile or the registry has no such GAN.
        TrainingError: training diverged or collapsed.
    """
    folder = run.layout.gan(name)
    splits = Splits.load(run.layout.data)
    config = parse_section(find_gan(name).config, run.profile.section("gans", name), f"gans.{name}")
    images, labels = torch.from_numpy(splits["A"].images), torch.from_numpy(splits["A"].labels)
    seed = derive_seed(run.profile.seed, "gan", name)

    def report(step: int, steps: int, losses: dict[str, float]) -> None:
        run.progress(step, steps, ", ".join(f"{key} {value:.2f}" for key, value in losses.items()))

    trained = train_gan(
        name, config, images, labels, num_classes=splits.num_classes, seed=seed, folder=folder, progress=report
    )
    source, card = load_model(run.layout.zoo / SOURCE_ID)
    with torch.no_grad():
        quality = sample_quality(trained, source, to_float(images), seed=seed)
    quality[f"frechet_{card['architecture']}"] = quality.pop("frechet")
    write_json(folder / QUALITY_FILE, {key: round(value, 6) for key, value in quality.items()})
    return folder
