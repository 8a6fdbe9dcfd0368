"""AKH: images that the source model gets wrong (QuRD, AAAI 2025); it costs nothing, and every scheme should beat it."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nf.core.errors import NotEnoughQueriesError
from nf.core.sections import at_least
from nf.data import to_float
from nf.fingerprints.base import Choice, Draft, Inputs, Scheme, Task
from nf.models import predicted_labels


@dataclass(frozen=True)
class AkhConfig:
    """How many images are searched for mistakes.

    Attributes:
        cutmix_rounds: number of times that all test images are mixed in pairs if test images and their mirror images
            do not have enough mistakes.
        candidates: largest number of mistakes that calibration models choose from.
        choice: ``published`` takes the first mistakes; ``held-out`` those of the first ``candidates`` that tell
            calibration models apart best.
    """

    cutmix_rounds: int = 50
    candidates: int = 4000
    choice: Choice = "published"

    def __post_init__(self) -> None:
        at_least(self, cutmix_rounds=0, candidates=1)


class Akh(Scheme):
    """Test images that the source model misclassifies, then mirrored ones, then mixtures of two, with its labels."""

    name = "akh"
    Config = AkhConfig
    config: AkhConfig

    def run(self, task: Task) -> Draft:
        """Gather mistakes: of test images first, of mixtures last.

        Raises:
            NotEnoughQueriesError: the source model makes too few mistakes.
        """
        generator = torch.Generator().manual_seed(task.seed)
        images, labels, found = [], [], {"test": 0, "flip": 0, "cutmix": 0}
        wanted = self.wanted(task) or max(task.queries, self.config.candidates)
        for kind, tried, truths in _trials(task.data, self.config.cutmix_rounds, generator):
            given = predicted_labels(task.models.source, to_float(tried.to(task.models.device))).cpu()
            wrong = (given != truths).all(dim=0).nonzero().squeeze(1)
            wrong = wrong[: wanted - sum(found.values())]
            images.append(tried[wrong])
            labels.append(given[wrong])
            found[kind] += len(wrong)
            if sum(found.values()) == wanted:
                break
        if sum(found.values()) >= task.queries:
            chosen = torch.cat(labels)
            return Draft(torch.cat(images), chosen, torch.full_like(chosen, -1), {"mistakes": found})
        raise NotEnoughQueriesError(
            f"expected {task.queries} mistakes of the source model, got {found}; raise cutmix_rounds"
        )


def _trials(data: Inputs, rounds: int, generator: torch.Generator) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Kind, (N, C, H, W) uint8 images and true labels: (1, N), or (2, N) for mixtures of two images.

    A mirror image or a mixture that is one of the images themselves is left out.
    """
    order = torch.randperm(len(data.test_images), generator=generator)
    images, truths = data.test_images[order], data.test_labels[order]
    yield "test", images, truths[None]
    mirrored = images.flip(3)
    changed = _differ(mirrored, images)
    yield "flip", mirrored[changed], truths[None, changed]
    for _ in range(rounds):
        partner = torch.randperm(len(images), generator=generator)
        mixed = _cutmix(images, images[partner], generator)
        changed = _differ(mixed, images) & _differ(mixed, images[partner])
        yield "cutmix", mixed[changed], torch.stack([truths, truths[partner]])[:, changed]


def _differ(images: Tensor, others: Tensor) -> Tensor:
    """(N,) whether each of ``images`` is another than that of ``others`` in its place."""
    return (images != others).flatten(1).any(dim=1)


def _cutmix(images: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """``images`` with a box from ``others`` each: of uniform area (CutMix with beta 1), at a uniform place."""
    height, width = images.shape[2:]
    area, down, right = torch.rand(3, len(images), 1, 1, 1, generator=generator)
    rows, columns = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
    inside = ((rows - down * height).abs() <= area.sqrt() * height / 2) & (
        (columns - right * width).abs() <= area.sqrt() * width / 2
    )
    return torch.where(inside, others, images)
