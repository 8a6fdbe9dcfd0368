"""Candidates: latents on their way to becoming queries, the count of how many got how far, and turns by label pair."""

from dataclasses import dataclass, field, fields
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Candidates:
    """Latents with the labels that their images shall get.

    Attributes:
        latents: (N, D) float32 latents of the GAN.
        classes: (N,) int64 class that the generator is conditioned on.
        positive_labels: (N,) int64 y_pos, the label of all positive training models.
        negative_labels: (N,) int64 y_neg, the label that the negatives are led to.
    """

    latents: Tensor
    classes: Tensor
    positive_labels: Tensor
    negative_labels: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def pairs(self) -> Tensor:
        """(N, 2) int64: positive and negative label of each candidate."""
        return torch.stack([self.positive_labels, self.negative_labels], dim=1)

    def select(self, index: Tensor) -> "Candidates":
        """The candidates at ``index``: (M,) int64, or (N,) bool."""
        return Candidates(*(getattr(self, f.name)[index] for f in fields(self)))

    def split(self, size: int) -> list["Candidates"]:
        """Consecutive parts of at most ``size`` candidates, whose sizes differ by one at most."""
        count = -(-len(self) // size)
        return [self.select(index) for index in torch.arange(len(self)).tensor_split(max(count, 1))]


@dataclass
class Funnel:
    """How many candidates passed each test.

    Attributes:
        counts: number of candidates that passed, summed over rounds, by test in the order of the tests.
    """

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, test: str, passed: int) -> None:
        """Count ``passed`` more candidates that passed ``test``."""
        self.counts[test] = self.counts.get(test, 0) + passed

    def last(self) -> int:
        """Number of candidates that passed the last test."""
        return list(self.counts.values())[-1]

    def worst(self, *, but: str) -> str:
        """The test that the smallest share of its candidates passed, other than ``but``.

        One imaginary candidate passes every test, so that a test which few came to does not win by chance.
        """
        shares = {test: (passed + 1) / (came + 1) for (_, came), (test, passed) in pairwise(self.counts.items())}
        return min((test for test in shares if test != but), key=lambda test: shares[test])

    def pairs(self) -> list[list[str | int]]:
        """The counts as pairs [test, passed]; a JSON object would lose the order of the tests."""
        return [[test, passed] for test, passed in self.counts.items()]

    def __str__(self) -> str:
        return ", ".join(f"{test} {count}" for test, count in self.counts.items())


def round_robin_by_pair(losses: Tensor, pairs: Tensor, count: int, *, each: int = 1) -> Tensor:
    """The ``count`` best, taken from the label pairs in turn, so that no pair crowds out the others.

    Near-copies of one image are the same query again: a model that gets one wrong gets them all wrong.

    Args:
        losses: (N,) loss of each candidate, the lower the better.
        pairs: (N, 2) int64, both labels of each candidate.
        count: number of candidates to take; all if there are fewer.
        each: number of candidates that a pair gives in a turn.

    Returns:
        (min(count, N),) int64 indices: the ``each`` best of each pair, then the next best of each, and so on; within a
        turn by loss.
    """
    _, group = pairs.unique(dim=0, return_inverse=True)
    by_loss = losses.argsort(stable=True)
    by_group = by_loss[group[by_loss].argsort(stable=True)]
    sizes = torch.bincount(group)
    ranks = torch.empty_like(by_loss)  # within the pair
    ranks[by_group] = torch.arange(len(losses), device=losses.device) - (sizes.cumsum(0) - sizes)[group[by_group]]
    return by_loss[(ranks[by_loss] // each).argsort(stable=True)][:count]
