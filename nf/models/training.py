"""The training loop that every classifier of the zoo goes through, and prediction in batches."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from nf.core.config import TrainingConfig
from nf.core.errors import TrainingError
from nf.data import Augment, to_float
from nf.models.classifier import Classifier
from nf.models.engine import ENGINES, Engine
from nf.models.inference import device_of

Objective = Callable[[Classifier, Tensor, Tensor], Tensor]
"""(model, images (N, C, H, W) float32 in [0, 1], targets of the batch) -> scalar loss.

On a GPU its kernels are recorded and replayed.
"""

_NO_AUGMENTATION = Augment(padding=0, flip=False)


def cross_entropy(model: Classifier, images: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of the model's logits.

    Args:
        model: classifier in training.
        images: (N, C, H, W) float32 in [0, 1].
        targets: (N,) int64 labels, or (N, classes) float32 probabilities of a teacher.
    """
    return functional.cross_entropy(model(images), targets)


def fit(
    model: Classifier,
    images: Tensor,
    targets: Tensor,
    config: TrainingConfig,
    *,
    seed: int,
    augment: Augment = _NO_AUGMENTATION,
    objective: Objective = cross_entropy,
    trainable: Literal["all", "classifier"] = "all",
    after_step: Callable[[Classifier], None] | None = None,
    draws_from: Sequence[torch.Generator] = (),
    precision: str | None = None,
) -> None:
    """Train ``model`` in place and leave it in eval mode.

    Args:
        model: classifier to train, on any device; the data is moved there once, as bytes.
        images: (N, C, H, W) uint8 in [0, 255].
        targets: (N,) int64 labels or (N, classes) float32 probabilities, as ``objective`` takes them.
        config: epochs, batch size and schedule of the learning rate.
        seed: seed of the order of the images, of augmentation and of dropout.
        augment: augmentation, with new draws for every batch.
        objective: loss that is minimised.
        trainable: ``all`` layers, or ``classifier``, which freezes everything before the last layer, batch statistics
            included.
        after_step: function that is called after each update, e.g. to hold a pruning mask; recorded as ``objective``.
        draws_from: generators on the model's device that ``objective`` draws from.
        precision: precision of forward passes, as in ``ZooConfig``.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    device = model.mean.device
    engine = ENGINES[device.type].at(precision)
    images, targets = images.to(device), targets.to(device)
    generator = torch.Generator(device).manual_seed(seed)
    steps = math.ceil(len(images) / config.batch_size)
    model.to(memory_format=torch.channels_last).train()
    if trainable == "classifier":
        model.body.eval()
    parameters = list(model.parameters() if trainable == "all" else model.classifier.parameters())
    optimizer = _optimizer(parameters, config, engine, device)
    schedule = _schedule(optimizer, config, config.epochs * steps)

    def update(batch: Tensor, wanted: Tensor) -> Tensor:
        with engine.autocast(device):
            loss = objective(model, batch, wanted)
        optimizer.zero_grad()
        loss.backward(inputs=parameters)
        if config.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, config.clip_norm)
        optimizer.step()
        if after_step is not None:
            after_step(model)
        return loss.detach()

    loss = torch.zeros((), device=device)
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        engine.running(update, device, draws_from) as step,
    ):
        # A network with dropout draws from the global generator. Not torch.manual_seed, which would also seed all GPUs.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        for _ in range(config.epochs):
            for index in random_batches(len(images), steps, generator):
                batch = to_float(augment(images[index], generator)).contiguous(memory_format=torch.channels_last)
                loss = step(batch, targets[index])
                schedule.step()
        last = loss.item()
    optimizer.zero_grad()  # gradients would keep the memory of a recorded update alive
    model.eval()
    if not math.isfinite(last):
        raise TrainingError(
            f"the loss is {last} after {config.epochs} epochs: lower the learning rate (now "
            f"{config.learning_rate}) or set clip_norm"
        )


def random_batches(count: int, steps: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Shuffle indices into batches of nearly equal size, so that batch norm gets no batch of one.

    Args:
        count: number of images.
        steps: number of batches.
        generator: source of the order; its device is that of the result.

    Returns:
        ``steps`` int64 tensors, which together hold each index from 0 to ``count`` - 1 once.
    """
    return torch.randperm(count, generator=generator, device=generator.device).tensor_split(steps)


def _optimizer(
    parameters: list[nn.Parameter], config: TrainingConfig, engine: Engine, device: torch.device
) -> torch.optim.SGD:
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return engine.sgd(groups, config, device)


def _schedule(optimizer: torch.optim.SGD, config: TrainingConfig, total_steps: int) -> LRScheduler:
    if config.schedule == "constant":
        return LambdaLR(optimizer, lambda _: 1.0)
    total = total_steps + 1
    rising = max(0.25, 2 / total)  # for one update at least
    return OneCycleLR(optimizer, config.learning_rate, total_steps=total, pct_start=rising, cycle_momentum=False)


@torch.no_grad()
def predict(model: nn.Module, images: Tensor, *, batch_size: int = 512) -> Tensor:
    """Logits of ``model`` in eval mode.

    Args:
        model: classifier, on any device.
        images: (N, C, H, W) uint8 in [0, 255].
        batch_size: largest number of images in a forward pass.

    Returns:
        (N, classes) float32, on the CPU.
    """
    device = device_of(model)
    model.eval()
    batches = [model(to_float(part.to(device))).float().cpu() for part in images.split(batch_size)]
    return torch.cat(batches)


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share in [0, 1] of ``images`` (N, C, H, W) uint8 that ``model`` gives the label in ``labels`` (N,)."""
    return float((predict(model, images).argmax(1) == labels).float().mean())
