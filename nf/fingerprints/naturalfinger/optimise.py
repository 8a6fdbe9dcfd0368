"""Step 3 of NaturalFinger: move latents until positives and negatives disagree about their images (algorithm 1)."""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from nf.fingerprints.base import TrainingModels
from nf.fingerprints.cuda_graphs import Network, bf16_autocast, graphed, run_concurrently, stream_graphed
from nf.fingerprints.naturalfinger.candidates import Candidates
from nf.fingerprints.naturalfinger.config import NaturalFingerConfig
from nf.fingerprints.naturalfinger.losses import cw_loss
from nf.fingerprints.transforms import random_transform
from nf.gan import Gan

# The paper's learning rate belongs to the mean over a batch of this size. Here each latent has its own sum, so that the
# batch size changes the speed and nothing else.
REFERENCE_BATCH = 80


@dataclass(frozen=True)
class _FrozenNetworks:
    """The frozen networks that an update calls, for batches of one size.

    Attributes:
        generate: function (latents, classes) -> images.
        discriminate: function (images, classes) -> logits.
        positives: for each positive a function (images, labels) -> gradient of its CW loss in the images.
        negatives: for each negative a function (images, labels) -> gradient of its CW loss in the images.
    """

    generate: Network
    discriminate: Network
    positives: tuple[Network, ...]
    negatives: tuple[Network, ...]


def optimise(
    candidates: Candidates,
    gan: Gan,
    models: TrainingModels,
    config: NaturalFingerConfig,
    *,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Descend equation 1 in the latents by SGD with Nesterov momentum; all networks stay as they are.

    Each batch sees the same transforms and the same order of models, so a latent's course does not depend on its batch.
    On a GPU the host never waits for an update, and the models compute in bfloat16. Generator and discriminator do not,
    as images are stored as the generator makes them.

    Args:
        candidates: latents to start from and labels to reach, on the device of the models and the GAN.
        gan: GAN that the latents belong to.
        models: training models, each passed through ``nf.models.freeze``.
        config: hyper-parameters of the descent.
        seed: seed of transforms and of the order of models.
        progress: function that is called as (updates done, updates in all).

    Returns:
        (N, D) float32 latents after the last update.
    """
    batches = candidates.split(config.batch_size)
    total = len(batches) * config.epochs * _updates_per_epoch(models, config.chunk)
    done = itertools.count(1)
    moved: list[Tensor] = []
    with ThreadPoolExecutor(_batches_at_once(candidates.latents.device)) as threads:
        for _, group in itertools.groupby(batches, key=len):
            alike = list(group)
            networks = _prepare(alike[0], gan, models, config)

            def move(batch: Candidates, networks: _FrozenNetworks = networks) -> Tensor:
                latents = batch.latents.clone()
                for _ in _descend(latents, batch, gan, networks, config, seed):
                    if progress is not None:
                        progress(next(done), total)
                return latents

            moved += threads.map(move, alike)
    return torch.cat(moved)


def _batches_at_once(device: torch.device) -> int:
    """Number of batches to optimise at a time: one on a GPU, else the number of cores over that of torch's threads."""
    if device.type != "cpu":
        return 1
    return max(1, len(os.sched_getaffinity(0)) // torch.get_num_threads())


def _descend(
    latents: Tensor, batch: Candidates, gan: Gan, networks: _FrozenNetworks, config: NaturalFingerConfig, seed: int
) -> Iterator[None]:
    """Move ``latents`` in place; yield after each update."""
    generator = torch.Generator().manual_seed(seed)
    velocity = torch.zeros_like(latents)
    for chunk in _chunks(networks, config, generator):
        gradient = _gradient(latents, batch, gan, networks, *chunk, config, generator)
        velocity = config.momentum * velocity + gradient
        latents -= config.learning_rate / REFERENCE_BATCH * (gradient + config.momentum * velocity)
        yield


def _prepare(batch: Candidates, gan: Gan, models: TrainingModels, config: NaturalFingerConfig) -> _FrozenNetworks:
    """The networks for batches of the size of ``batch``, on a GPU as CUDA graphs."""
    latents = batch.latents.detach().requires_grad_(True)
    with torch.no_grad():
        made = gan.generate(latents, batch.classes)
    images = made.clone().requires_grad_(True)
    transformed = made.contiguous(memory_format=torch.channels_last)

    def gradients(pool: Sequence[Network], labels: Tensor) -> tuple[Network, ...]:
        rounded_pool = (bf16_autocast(model, transformed.device) for model in pool)
        return tuple(
            stream_graphed(_image_gradient(model, config.confidence), transformed, labels) for model in rounded_pool
        )

    discriminate = gan.discriminate
    if config.discriminator != "none":
        discriminate = graphed(gan.discriminate, images, batch.classes)
    generate = graphed(gan.generate, latents, batch.classes)
    positives = gradients(models.positives, batch.positive_labels)
    return _FrozenNetworks(generate, discriminate, positives, gradients(models.negatives, batch.negative_labels))


def _updates_per_epoch(models: TrainingModels | _FrozenNetworks, chunk: int) -> int:
    return -(-max(len(models.positives), len(models.negatives)) // chunk)


def _chunks(
    networks: _FrozenNetworks, config: NaturalFingerConfig, generator: torch.Generator
) -> Iterator[tuple[list[Network], list[Network]]]:
    """Shuffle both pools each epoch and walk through them side by side; a smaller pool starts over."""
    pools = (networks.positives, networks.negatives)
    for _ in range(config.epochs):
        orders = [torch.randperm(len(pool), generator=generator).tolist() for pool in pools]
        for update in range(_updates_per_epoch(networks, config.chunk)):
            positives, negatives = (
                _window(pool, order, update * config.chunk, config.chunk)
                for pool, order in zip(pools, orders, strict=True)
            )
            yield positives, negatives


def _window(pool: Sequence[Network], order: list[int], first: int, size: int) -> list[Network]:
    return [pool[order[(first + step) % len(order)]] for step in range(min(size, len(order)))]


def _gradient(
    latents: Tensor,
    batch: Candidates,
    gan: Gan,
    networks: _FrozenNetworks,
    positives: Sequence[Network],
    negatives: Sequence[Network],
    config: NaturalFingerConfig,
    generator: torch.Generator,
) -> Tensor:
    """Gradient of equation 1 for each latent.

    The models' gradients meet at the transformed images, so that only one model's activations are held at a time, and
    transform and generator are walked back once.
    """
    latents = latents.detach().requires_grad_(True)
    images = networks.generate(latents, batch.classes)
    transformed = round_straight_through(images) if config.straight_through_rounding else images
    transformed = random_transform(transformed, config.transforms, generator, config.strength)
    transformed = transformed.contiguous(memory_format=torch.channels_last)
    calls = [(model, (transformed, batch.positive_labels)) for model in positives]
    calls += [(model, (transformed, batch.negative_labels)) for model in negatives]
    model_gradients = run_concurrently(calls)
    image_grad = _mean(model_gradients[: len(positives)]) + _mean(model_gradients[len(positives) :])
    objective = (transformed * image_grad).sum()
    if config.discriminator != "none":
        logits = networks.discriminate(images, batch.classes)
        naturalness = gan.naturalness_loss(logits, config.discriminator)
        objective = objective + config.discriminator_weight * naturalness.sum()
    return torch.autograd.grad(objective, latents)[0]


def _image_gradient(model: Network, confidence: float) -> Network:
    """The function (images, labels) -> gradient of the model's CW loss in the images (equation 3)."""

    def gradient(images: Tensor, labels: Tensor) -> Tensor:
        leaf = images.detach().requires_grad_(True)
        loss = cw_loss(model(leaf), labels, confidence=confidence).sum()
        return torch.autograd.grad(loss, leaf)[0]

    return gradient


def _mean(model_gradients: Sequence[Tensor]) -> Tensor:
    """Mean over the models of a pool (equations 2 and 4)."""
    return reduce(torch.add, model_gradients) / len(model_gradients)


def round_straight_through(images: Tensor) -> Tensor:
    """Round ``images`` (N, C, H, W) in [0, 1] to 1/255, as they are stored; gradients pass unchanged."""
    stored = (images * 255).round().clamp(0, 255) / 255
    return images + (stored - images).detach()
