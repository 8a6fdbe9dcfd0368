"""Stage ``gan``: train a GAN on the owner's images and measure its samples with the source model."""

from pathlib import Path

import torch
from torch import Tensor

from nf.core.errors import ConfigError
from nf.core.files import read_json, write_sealed
from nf.core.lineage import SOURCE_ID
from nf.core.paths import CARD_FILE, HISTORY_FILE, QUALITY_FILE
from nf.core.sections import parse_section
from nf.core.seeds import derive_seed
from nf.data import Splits, to_float
from nf.gan import Gan, ImageShape, ImportedConfig, find_gan, import_gan, sample_quality, train_gan
from nf.models import resolve_device
from nf.stages.own_model import load_source
from nf.stages.run import Run

SAMPLES = 2_000
"""Samples that the quality of a trained GAN is measured with."""

SAMPLES_ALONG_THE_WAY = 500
"""At each row of the history fewer samples do: what counts there is the course."""


def gan(run: Run, name: str) -> Path:
    """Train the GAN ``name`` on split A and return its folder; a killed run goes on from its last checkpoint.

    A GAN that is trained already, with the same settings, images and source model, is only measured.

    ``quality.json`` holds the numbers of ``nf.gan.sample_quality`` with the source model as classifier, the Fréchet
    distance named after its architecture; ``history.csv`` holds losses and the same numbers on fewer samples along the
    way.

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

    def measure(so_far: Gan) -> dict[str, float]:
        return _quality(run, so_far, images[:SAMPLES_ALONG_THE_WAY], seed, SAMPLES_ALONG_THE_WAY)

    (folder / QUALITY_FILE).unlink(missing_ok=True)  # it must not stand beside the history of another training
    trained = train_gan(
        name,
        config,
        images,
        labels,
        num_classes=splits.num_classes,
        seed=seed,
        folder=folder,
        progress=report,
        device=resolve_device(run.profile.execution.device),
        measure=measure,
        measured_by=read_json(run.layout.zoo / SOURCE_ID / CARD_FILE)["weights_sha256"],
    )
    write_sealed(folder / QUALITY_FILE, _quality(run, trained, images, seed, SAMPLES))
    return folder


def import_generator(
    run: Run,
    name: str,
    config: ImportedConfig,
    generator: Path,
    *,
    discriminator: Path | None = None,
    num_classes: int = 0,
) -> Path:
    """Let in an exported generator as the GAN ``name`` and return its folder; its quality is measured like any other's.

    Raises:
        ConfigError: the name is taken, or the number of classes is neither 0 nor the data's.
        ArtifactError: a file is not an exported program, or does not do what was stated.
    """
    splits = Splits.load(run.layout.data)
    if num_classes not in (0, splits.num_classes):
        raise ConfigError(f"classes: expected 0 or {splits.num_classes} as in the data, got {num_classes}")
    images = torch.from_numpy(splits["A"].images)
    shape = ImageShape(images.shape[2], images.shape[1], num_classes)
    folder, seed = run.layout.gan(name), derive_seed(run.profile.seed, "gan", name)
    imported = import_gan(name, config, shape, generator, folder=folder, discriminator=discriminator, seed=seed)
    write_sealed(folder / QUALITY_FILE, _quality(run, imported, images, seed, SAMPLES))
    return folder


def trained_gans(run: Run) -> list[str]:
    """GANs of the profile whose training has ended, by name; those from outside are not among them."""
    wanted = (HISTORY_FILE, QUALITY_FILE)  # of one that is still training there is a history only
    return [name for name in sorted(run.profile.gans) if all((run.layout.gan(name) / file).exists() for file in wanted)]


def _quality(run: Run, gan: Gan, images: Tensor, seed: int, samples: int) -> dict[str, float]:
    """Quality of samples beside ``images`` (N, C, H, W) uint8, measured with the source model."""
    source, card = load_source(run.layout), read_json(run.layout.zoo / SOURCE_ID / CARD_FILE)
    quality = sample_quality(gan, source.to(gan.device), to_float(images), seed=seed, samples=samples)
    quality[f"frechet_{card['architecture']}"] = quality.pop("frechet")
    return {key: round(value, 6) for key, value in quality.items()}
