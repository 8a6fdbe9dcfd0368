"""Attacks on the weights of a stolen copy: fine-tuning, pruning, noise and adversarial training."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from nf.attacks.base import FineTuningConfig, Job, Outcome
from nf.attacks.gradient import pgd
from nf.core.errors import UnknownNameError
from nf.core.sections import at_least, positive
from nf.models import Classifier

FINE_TUNING_MODES = ("FTLL", "FTAL", "RTLL", "RTAL")


@dataclass(frozen=True)
class AdversarialConfig(FineTuningConfig):
    """Fine-tuning joined by PGD examples under the maximum norm.

    Attributes:
        epsilon: largest change of a pixel, in units of the [0, 1] range.
        step_size: change of a pixel per step of PGD, in units of the [0, 1] range.
        steps: number of steps of PGD, at least 1.
    """

    epsilon: float = 8 / 255
    step_size: float = 2 / 255
    steps: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "epsilon", "step_size")
        at_least(self, steps=1)


def fine_tune(job: Job, config: FineTuningConfig) -> Outcome:
    """Fine-Tune or Re-Train the Last or All Layers (Adi et al., 2018; the paper's supplement, section 1).

    The level's first letter says whether the last layer is re-initialised, its third what is trained.
    """
    if job.level not in FINE_TUNING_MODES:
        raise UnknownNameError("fine-tuning mode", job.level, FINE_TUNING_MODES)
    model = copy.deepcopy(job.require_victim())
    if job.level.startswith("RT"):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(job.seed)  # on the CPU, so that every device sees the same draws
            head = model.classifier
            fresh = nn.Linear(head.in_features, head.out_features, bias=head.bias is not None)
        model.classifier.load_state_dict(fresh.state_dict())
    trainable: Literal["all", "classifier"] = "all" if job.level.endswith("AL") else "classifier"
    job.fit(model, config.schedule, trainable=trainable)
    return Outcome(model)


def prune(job: Job, config: FineTuningConfig) -> Outcome:
    """Set the smallest share ``level`` of each layer's weights to zero, then fine-tune the rest (Han et al., 2015).

    Batch norm is not pruned. The mask is held while fine-tuning, so that the model stays pruned.
    """
    model = copy.deepcopy(job.require_victim())
    masks = prune_weights(model, job.strength())

    def hold(_: Classifier) -> None:
        with torch.no_grad():
            for weight, mask in masks:
                weight.mul_(mask)

    job.fit(model, config.schedule, after_step=hold)
    zeros = sum(int((weight == 0).sum()) for weight, _ in masks)
    return Outcome(model, {"sparsity": round(zeros / sum(weight.numel() for weight, _ in masks), 6)})


def add_noise(job: Job, config: FineTuningConfig) -> Outcome:
    """Add N(0, std(w) / level) to each convolution's weights, then fine-tune; a smaller level is a stronger attack."""
    model = copy.deepcopy(job.require_victim())
    disturb_weights(model, job.strength(), torch.Generator().manual_seed(job.seed))
    job.fit(model, config.schedule)
    return Outcome(model)


def train_adversarially(job: Job, config: AdversarialConfig) -> Outcome:
    """Fine-tune on each batch joined by PGD examples of its first share ``level`` (Madry et al., 2018).

    The examples are made against the model as it is at that step, in eval mode.
    """
    share = job.strength()
    model = copy.deepcopy(job.require_victim())
    generator = torch.Generator(model.mean.device).manual_seed(job.seed)

    def objective(model: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        count = round(share * len(images))
        model.eval()
        attacked = pgd(
            model,
            images[:count],
            labels[:count],
            epsilon=config.epsilon,
            step_size=config.step_size,
            steps=config.steps,
            generator=generator,
        )
        model.train()
        joined = torch.cat([images, attacked])
        return functional.cross_entropy(model(joined), torch.cat([labels, labels[:count]]))

    job.fit(model, config.schedule, objective=objective, draws_from=[generator])
    return Outcome(model)


@torch.no_grad()
def prune_weights(model: nn.Module, share: float) -> list[tuple[Tensor, Tensor]]:
    """Set the weights of smallest magnitude of each layer to zero, in place.

    Args:
        model: network to prune.
        share: share of each convolution's and linear layer's weights, in [0, 1].

    Returns:
        Each pruned weight with its mask of 0 and 1.
    """
    masks = [(layer.weight, _magnitude_mask(layer.weight, share)) for layer in _weighted_layers(model)]
    for weight, mask in masks:
        weight.mul_(mask)
    return masks


@torch.no_grad()
def disturb_weights(model: nn.Module, level: float, generator: torch.Generator) -> None:
    """Add N(0, std(w) / level) to each convolution's weights, in place.

    Args:
        model: network to change.
        level: divisor of the noise, positive; a smaller level is stronger noise.
        generator: source of the noise, on the CPU, so that every device gets the same draws.
    """
    for layer in _weighted_layers(model):
        if isinstance(layer, nn.Conv2d):
            noise = torch.randn(layer.weight.shape, generator=generator).to(layer.weight)
            layer.weight.add_(noise * layer.weight.std() / level)


def _weighted_layers(model: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    return (layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear))


def _magnitude_mask(weight: Tensor, share: float) -> Tensor:
    """0 for the ``round(share * n)`` weights of smallest magnitude, 1 for the others."""
    count = round(share * weight.numel())
    mask = torch.ones(weight.numel(), device=weight.device)
    mask[weight.detach().abs().flatten().argsort(stable=True)[:count]] = 0
    return mask.view_as(weight)
