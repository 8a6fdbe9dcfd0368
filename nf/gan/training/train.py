"""The one training loop of all GANs."""

import logging
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from nf.core.errors import ArtifactError, ConfigError, TrainingError
from nf.core.files import read_json, sha256_bytes, sha256_json, take_away
from nf.core.paths import CARD_FILE, HISTORY_FILE, SHEETS_FOLDER
from nf.gan.artifacts import History, load_gan, save_gan
from nf.gan.definition import GanConfig, ImageShape
from nf.gan.generator import Gan
from nf.gan.registry import find_gan
from nf.gan.samples import save_samples
from nf.gan.training.checkpoint import load_checkpoint, save_checkpoint
from nf.gan.training.state import Training

StepProgress = Callable[[int, int, dict[str, float]], None]
Measure = Callable[[Gan], dict[str, float]]

CHECKPOINT_FILE = "checkpoint.pt"
_FORMAT = 3
"""Increased when the format of checkpoints or the result of a training changes: all trainings then begin anew."""
_REPORT_EVERY = 10
_STUCK_BELOW = 1e-3
_STUCK_REPORTS = 20

_logger = logging.getLogger(__name__)


def train_gan(
    name: str,
    config: GanConfig,
    images: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    seed: int,
    folder: Path,
    progress: StepProgress | None = None,
    measure: Measure | None = None,
    measured_by: str | None = None,
    device: str = "cpu",
) -> Gan:
    """Train the GAN ``name`` and write it into ``folder``; a run that was killed goes on from its last checkpoint.

    A finished GAN that the same arguments and the same torch have made is read and returned as it is.

    Every ``checkpoint_every`` steps and at the end, the history gets a row, ``samples/`` a sheet of the same latents.
    On a CPU the same arguments give the same bytes, whether the run was interrupted or not.

    Args:
        name: key of ``GANS``.
        config: hyper-parameters, of the class that the GAN's definition names.
        images: (N, C, H, W) uint8 training images, H = W = 16, 32, 64 or 128.
        labels: (N,) int64 class of each image, in [0, num_classes).
        num_classes: number of classes.
        seed: root seed of all random draws.
        folder: folder that gets ``generator.safetensors``, ``discriminator.safetensors``, ``card.json``,
            ``samples.png``, ``history.csv`` and ``samples/``.
        progress: function that is called as (step, steps, mean losses of the last steps) every ten steps.
        measure: function that is called with the unfinished GAN at every row of the history; its numbers become
            columns.
        measured_by: hash of what those numbers depend on besides the GAN.
        device: torch device to train on.

    Returns:
        The frozen GAN on ``device``.

    Raises:
        UnknownNameError: no GAN is called ``name``.
        ConfigError: ``config`` is another GAN's, or the images or labels are not as stated.
        TrainingError: training diverged or collapsed.
    """
    definition = find_gan(name)
    if type(config) is not definition.config:
        raise ConfigError(f"config: expected {definition.config.__name__} for {name}, got {type(config).__name__}")
    _check_data(images, labels, num_classes)
    shape = ImageShape(images.shape[2], images.shape[1], num_classes if definition.conditional else 0)
    identity = sha256_json(
        {
            "format": _FORMAT,
            "torch": torch.__version__,
            "name": name,
            "config": asdict(config),
            "shape": asdict(shape),
            "seed": seed,
            "images": sha256_bytes(images.numpy().tobytes()),
            "labels": sha256_bytes(labels.numpy().tobytes()),
            "measured_by": measured_by,
        }
    )
    checkpoint = folder / CHECKPOINT_FILE
    finished = _load_finished(folder, identity, device)
    if finished is not None:
        checkpoint.unlink(missing_ok=True)
        return finished
    take_away(folder / CARD_FILE)  # from here on the folder is not whole
    training = Training(definition, config, shape, images, labels, seed, device)
    state = load_checkpoint(checkpoint, identity, device)
    history = History(folder / HISTORY_FILE)
    if state is None:
        shutil.rmtree(folder / SHEETS_FOLDER, ignore_errors=True)
    else:
        training.load_state_dict(state)
        history.rows += state["history"]
    watch = CollapseWatch(name)
    with training.running():
        while training.step < config.steps:
            training.advance()
            step, ended = training.step, training.step == config.steps
            if step % _REPORT_EVERY == 0 or ended:
                losses = training.recent_losses(_REPORT_EVERY)
                watch.check(step, losses)
                if progress is not None:
                    progress(step, config.steps, losses)
            if step % config.checkpoint_every == 0 or ended:
                gan = training.to_gan()
                history.add(step, training.take_losses() | (measure(gan) if measure else {}))
                save_samples(gan, folder / SHEETS_FOLDER / f"step-{step:06}.png", seed)
                if not ended:
                    save_checkpoint(checkpoint, identity, {**training.state_dict(), "history": history.rows})
    save_gan(gan, folder, seed=seed, images=len(images), identity=identity)
    checkpoint.unlink(missing_ok=True)
    return gan


def _load_finished(folder: Path, identity: str, device: str) -> Gan | None:
    """The GAN in ``folder`` if the training ``identity`` has ended there; a damaged GAN is logged and not returned."""
    if not all((folder / file).exists() for file in (CARD_FILE, HISTORY_FILE)):
        return None
    try:
        return load_gan(folder, device) if read_json(folder / CARD_FILE).get("identity") == identity else None
    except ArtifactError as error:
        _logger.warning("%s; training it again", error)
        return None


def _check_data(images: Tensor, labels: Tensor, num_classes: int) -> None:
    if images.ndim != 4 or images.dtype != torch.uint8 or images.shape[2] != images.shape[3] or len(images) == 0:
        raise ConfigError(
            f"images: expected uint8 of shape (N, C, H, H) with N >= 1, got {images.dtype} {tuple(images.shape)}"
        )
    if labels.shape != (len(images),) or labels.dtype != torch.int64:
        raise ConfigError(f"labels: expected int64 of shape ({len(images)},), got {labels.dtype} {tuple(labels.shape)}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ConfigError(f"labels: expected classes 0 to {num_classes - 1}, got {labels.min()} to {labels.max()}")


class CollapseWatch:
    """Watches the losses of a training and raises once they show that going on is useless.

    Args:
        name: name of the GAN, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._stuck = 0

    def check(self, step: int, losses: dict[str, float]) -> None:
        """Check the losses of the last steps.

        Args:
            step: number of the last step.
            losses: mean of each term over these steps.

        Raises:
            TrainingError: a loss is not finite, or the discriminator has had nothing left to learn for 20 reports.
        """
        for key, loss in losses.items():
            if not math.isfinite(loss):
                raise TrainingError(
                    f"{self._name} diverged: {key} is {loss} at step {step}; lower learning_rate_g and learning_rate_d"
                )
        self._stuck = self._stuck + 1 if abs(losses["d_adversarial"]) < _STUCK_BELOW else 0
        if self._stuck >= _STUCK_REPORTS:
            raise TrainingError(
                f"{self._name} collapsed: the discriminator's loss has stayed at zero up to step {step} and G"
                " learns nothing; lower d_steps or learning_rate_d, or raise max_shift"
            )
