"""Contact sheets of generated images."""

from pathlib import Path

import torch

from nf.core.seeds import derive_seed
from nf.core.sheets import save_sheet
from nf.data import to_bytes
from nf.gan.generator import Gan

_COLUMNS = 10


def save_samples(gan: Gan, path: Path, seed: int) -> None:
    """Draw a contact sheet of ten samples a row.

    Args:
        gan: GAN to sample.
        path: PNG file to write: one row for each class, or ten rows for a GAN without classes.
        seed: seed of the latents.

    Raises:
        ArtifactError: the file cannot be written.
    """
    rng = torch.Generator().manual_seed(derive_seed(seed, "samples"))
    z, labels = gan.sample_latents(_COLUMNS * (gan.num_classes or _COLUMNS), rng)
    if gan.num_classes:
        labels = torch.arange(gan.num_classes, device=gan.device).repeat_interleave(_COLUMNS)
    images = to_bytes(gan.generate_in_batches(z, labels, 100))
    save_sheet(path, images.cpu().numpy(), columns=_COLUMNS)
