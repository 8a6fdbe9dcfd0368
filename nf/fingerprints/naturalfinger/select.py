"""Steps 1 and 2 of NaturalFinger: samples that look like a class, and the two labels of each (paper, section 3.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nf.attacks import fgsm
from nf.fingerprints.base import Task, TrainingModels
from nf.fingerprints.naturalfinger.candidates import Candidates, Funnel, round_robin_by_pair
from nf.fingerprints.naturalfinger.config import NaturalFingerConfig
from nf.fingerprints.naturalfinger.losses import mean_losses
from nf.models import agreement_mask, predicted_labels


def select(task: Task, models: TrainingModels, config: NaturalFingerConfig, *, seed: int, funnel: Funnel) -> Candidates:
    """Draw samples that all positives agree on, give each a second label, and keep the shortlist.

    Args:
        task: task with the GAN to sample and the number of classes.
        models: training models, each passed through ``nf.models.freeze``.
        config: settings of the number of samples, of the second label and of the shortlist.
        seed: seed of the samples and of random labels.
        funnel: counter that gets the number of candidates that passed each test.

    Returns:
        Candidates whose two labels differ, with the latents as drawn.

    Raises:
        ConfigError: the task has no GAN.
    """
    gan, num_classes = task.require_gan(), task.data.num_classes
    generator = torch.Generator().manual_seed(seed)
    latents, classes = gan.sample_latents(config.candidates, generator)
    images = gan.generate_in_batches(latents, classes, config.batch_size)
    agreed, labels = agreement_mask(models.positives, images)
    funnel.add("drawn", len(agreed))
    funnel.add("unanimous", int(agreed.sum()))
    if config.label == "random":
        negative_labels = random_labels(labels, num_classes=num_classes, generator=generator)
    else:
        attacked = models.negatives if config.label == "negative" else models.positives
        negative_labels = adversarial_labels(attacked, images, labels, epsilon=config.epsilon, num_classes=num_classes)
    usable = agreed & (negative_labels != labels)
    candidates = Candidates(latents, classes, labels, negative_labels).select(usable)
    funnel.add("labelled", len(candidates))
    if config.shortlist is None or len(candidates) == 0:  # not every network takes an empty batch
        return candidates
    losses = mean_losses(images[usable], candidates, models, confidence=config.confidence)
    shortlist = round_robin_by_pair(losses, candidates.pairs, config.shortlist)
    funnel.add("shortlisted", len(shortlist))
    return candidates.select(shortlist)


def adversarial_labels(
    models: Sequence[nn.Module],
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    num_classes: int,
    batch_size: int = 512,
) -> Tensor:
    """The class that lies nearest to each image: the models' majority label after an FGSM step of each on itself.

    Args:
        models: negative training models (paper), or positive ones (the authors' script).
        images: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64 labels that the step leads away from.
        epsilon: length of the step, in units of the [0, 1] range.
        num_classes: number of classes.
        batch_size: largest number of images in a step.

    Returns:
        (N,) int64; the smallest class where several are equally frequent. It may equal ``labels``.
    """
    votes = torch.zeros(len(images), num_classes, dtype=torch.int64, device=images.device)
    rows = torch.arange(len(images), device=images.device)
    parts = list(zip(torch.split(images, batch_size), torch.split(labels, batch_size), strict=True))
    for model in models:
        attacked = torch.cat([fgsm(model, *part, epsilon=epsilon) for part in parts])
        votes[rows, predicted_labels(model, attacked)] += 1
    return votes.argmax(dim=1)


def random_labels(labels: Tensor, *, num_classes: int, generator: torch.Generator) -> Tensor:
    """Draw another class than that in ``labels`` for each image, uniformly: the ablation of the adversarial label.

    Args:
        labels: (N,) int64 in [0, num_classes).
        num_classes: number of classes, at least 2.
        generator: source of the draws, on the CPU.

    Returns:
        (N,) int64 in [0, num_classes).
    """
    offsets = torch.randint(1, num_classes, labels.shape, generator=generator)
    return (labels + offsets.to(labels.device)) % num_classes
