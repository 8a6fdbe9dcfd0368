"""MetaFinger: images on which all copies of the source model agree, and others do not (Yang et al., IJCAI 2022)."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor, nn

from nf.attacks import disturb_weights, prune_weights
from nf.core.errors import ConfigError, NotEnoughQueriesError
from nf.core.sections import at_least, below_one, positive
from nf.core.seeds import derive_seed
from nf.data import to_bytes, to_float
from nf.fingerprints.base import Choice, Draft, Scheme, Task, TrainingModels
from nf.fingerprints.pixel_adam import PixelAdam
from nf.fingerprints.transforms import Strength, check_transforms, random_transform
from nf.models import agreement_mask, freeze, predicted_labels


@dataclass(frozen=True)
class MetaFingerConfig:
    """The published settings; the share of models held out and the noise of shadow copies are not published.

    Attributes:
        candidates: number of training images that each round starts from; none is taken again before all have had
            their turn.
        max_rounds: number of rounds before giving up.
        epochs: number of walks through the positives; in each, every positive is the anchor once.
        learning_rate: Adam's learning rate on the pixels, in units of the [0, 1] range.
        chunk: number of positives, and of negatives, that are compared with the anchor in a step.
        alpha: weight of the negatives in the loss.
        held_out: number of models of each pool that, with a shadow copy of each, choose and screen images.
        prune: share of weights that every other shadow copy loses, in [0, 1).
        noise_level: divisor of the noise N(0, std(w) / noise_level) on the convolutions of the other shadow copies.
        transforms: keys of ``nf.fingerprints.transforms.TRANSFORMS``, one of which is drawn for every step.
        strength: strength of the transforms.
        choice: ``published`` takes the first images that pass the test; ``held-out`` those of all rounds until then
            that tell calibration models apart best.
    """

    candidates: int = 200
    max_rounds: int = 10
    epochs: int = 10
    learning_rate: float = 0.01
    chunk: int = 3
    alpha: float = 1.0
    held_out: int = 2
    prune: float = 0.3
    noise_level: float = 10.0
    transforms: tuple[str, ...] = (
        "identity",
        "flip",
        "shear",
        "gaussian_blur",
        "median_blur",
        "average_blur",
        "noise",
        "uniform_noise",
        "rescale",
        "translate",
    )
    strength: Strength = field(default_factory=lambda: Strength(noise=0.05, translation_probability=1.0))
    choice: Choice = "published"

    def __post_init__(self) -> None:
        check_transforms(self.transforms)
        at_least(self, candidates=1, max_rounds=1, epochs=1, chunk=1, held_out=1, alpha=0)
        positive(self, "learning_rate", "noise_level")
        below_one(self, "prune")


@dataclass(frozen=True)
class _Pools:
    positives: Sequence[nn.Module]
    negatives: Sequence[nn.Module]


class MetaFinger(Scheme):
    """Training images moved until positives answer like each other and unlike negatives, under every transform."""

    name = "metafinger"
    Config = MetaFingerConfig
    config: MetaFingerConfig

    def run(self, task: Task) -> Draft:
        """Optimise and screen images, round by round, until there are enough.

        Raises:
            NotEnoughQueriesError: ``max_rounds`` rounds gave too few queries.
            ConfigError: the pools are too small to hold models out.
        """
        learning, judging, held_out = self._split(task.models, derive_seed(task.seed, "split"))
        kept: list[tuple[Tensor, Tensor]] = []
        tried = 0
        untried = torch.ones(len(task.data.images), dtype=torch.bool)
        for number in range(self.config.max_rounds):
            generator = torch.Generator().manual_seed(derive_seed(task.seed, number))
            order = torch.randperm(len(untried), generator=generator)
            drawn = order[untried[order]][: self.config.candidates]
            tried += len(drawn)
            untried[drawn] = False
            if not untried.any():
                untried.fill_(True)
            starts = to_float(task.data.images[drawn].to(task.models.device))
            images = self._optimise(task, starts, learning, judging, generator, number)
            disagreement, labels = _disagreement(images, judging)
            good = disagreement == 1
            kept.append((images[good], labels[good]))
            if sum(len(labels) for _, labels in kept) >= task.queries:
                chosen, labels = (torch.cat(parts)[: self.wanted(task)] for parts in zip(*kept, strict=True))
                survivors = sum(len(labels) for _, labels in kept)
                notes = {"candidates": tried, "survivors": survivors, "held_out": held_out}
                return Draft(chosen, labels, torch.full_like(labels, -1), notes)
        raise NotEnoughQueriesError(
            f"expected {task.queries} images that all held-out positives and no held-out negative agree on, got "
            f"{sum(len(labels) for _, labels in kept)} of {self.config.max_rounds} rounds of {self.config.candidates}; "
            "raise candidates, epochs or max_rounds"
        )

    def _split(self, models: TrainingModels, seed: int) -> tuple[_Pools, _Pools, list[str]]:
        """Models to learn from and held-out models, both with a shadow copy of each, and ids of the held-out ones."""
        generator = torch.Generator().manual_seed(seed)
        learning, judging, held_out = [], [], []
        for pool, ids in ((models.positives, models.positive_ids), (models.negatives, models.negative_ids)):
            if len(pool) <= self.config.held_out:
                raise ConfigError(
                    f"held_out: expected fewer than the {len(pool)} training models of a pool, got "
                    f"{self.config.held_out}; lower it or list more training models"
                )
            order = torch.randperm(len(pool), generator=generator).tolist()
            shadows = [self._shadow(pool[index], number, generator) for number, index in enumerate(order)]
            pairs = [[freeze(pool[index]), freeze(shadow)] for index, shadow in zip(order, shadows, strict=True)]
            judging.append(list(chain.from_iterable(pairs[: self.config.held_out])))
            learning.append(list(chain.from_iterable(pairs[self.config.held_out :])))
            held_out += [ids[index] for index in order[: self.config.held_out]]
        return _Pools(*learning), _Pools(*judging), held_out

    def _shadow(self, model: nn.Module, number: int, generator: torch.Generator) -> nn.Module:
        shadow = copy.deepcopy(model)
        if number % 2 == 0:
            prune_weights(shadow, self.config.prune)
        else:
            disturb_weights(shadow, self.config.noise_level, generator)
        return shadow

    def _optimise(
        self, task: Task, starts: Tensor, learning: _Pools, judging: _Pools, generator: torch.Generator, number: int
    ) -> Tensor:
        """(N, C, H, W) uint8: each image at the first step at which the held-out models disagreed about it most.

        Of equally good iterates, the earliest is the least distorted.
        """
        adam = PixelAdam(starts, self.config.learning_rate)
        best = to_bytes(starts)
        record = torch.zeros(len(starts), dtype=torch.float64, device=starts.device)
        for epoch in range(self.config.epochs):
            for anchor, positives, negatives in self._steps(learning, generator):
                leaf = adam.leaf()
                transformed = random_transform(leaf, self.config.transforms, generator, self.config.strength)
                loss = fingerprint_loss(transformed, anchor, positives, negatives, alpha=self.config.alpha)
                adam.step(torch.autograd.grad(loss.sum(), leaf)[0])
            stored = to_bytes(adam.images)
            disagreement, _ = _disagreement(stored, judging)
            better = disagreement > record
            best[better], record[better] = stored[better], disagreement[better]
            if task.progress is not None:
                figures = {"round": number + 1, "good": float((record == 1).double().mean())}
                task.progress(epoch + 1, self.config.epochs, figures)
        return best

    def _steps(
        self, pools: _Pools, generator: torch.Generator
    ) -> Iterator[tuple[nn.Module, list[nn.Module], list[nn.Module]]]:
        """Every positive as anchor once, in random order, with positives and negatives to compare it with."""
        for index in torch.randperm(len(pools.positives), generator=generator).tolist():
            others = [model for place, model in enumerate(pools.positives) if place != index]
            yield (
                pools.positives[index],
                _draw(others, self.config.chunk, generator),
                _draw(pools.negatives, self.config.chunk, generator),
            )


def _draw(pool: Sequence[nn.Module], count: int, generator: torch.Generator) -> list[nn.Module]:
    return [pool[i] for i in torch.randperm(len(pool), generator=generator)[:count].tolist()]


def fingerprint_loss(
    images: Tensor, anchor: nn.Module, positives: Sequence[nn.Module], negatives: Sequence[nn.Module], *, alpha: float
) -> Tensor:
    """How far positives are from the anchor's answers, minus ``alpha`` times how far negatives are (equation 3).

    Args:
        images: (N, C, H, W) float32 transformed images.
        anchor: positive that the others are compared with.
        positives: other positives.
        negatives: independent models.
        alpha: weight of the negatives.

    Returns:
        (N,) mean KL(positive || anchor) - alpha * mean KL(negative || anchor), each the mean over classes, as in the
        authors' code.
    """
    reference = anchor(images).log_softmax(dim=1)

    def divergence(models: Sequence[nn.Module]) -> Tensor:
        answers = [model(images).log_softmax(dim=1) for model in models]
        return torch.stack([(answer.exp() * (answer - reference)).mean(dim=1) for answer in answers]).mean(dim=0)

    return divergence(positives) - alpha * divergence(negatives)


def _disagreement(images: Tensor, judging: _Pools) -> tuple[Tensor, Tensor]:
    """How many held-out negatives give each image another label than the positives.

    Returns:
        (N,) float64 shares in [0, 1], 0 where the positives do not agree among themselves; (N,) int64 labels of the
        positives.
    """
    pixels = to_float(images)
    agreed, labels = agreement_mask(judging.positives, pixels)
    others = torch.stack([predicted_labels(model, pixels) != labels for model in judging.negatives])
    return others.double().mean(dim=0) * agreed, labels
