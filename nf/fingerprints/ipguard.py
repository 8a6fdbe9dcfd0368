"""IPGuard: images at the source model's decision boundary (Cao et al., AsiaCCS 2021)."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nf.core.errors import NotEnoughQueriesError
from nf.core.sections import at_least, positive
from nf.data import to_bytes, to_float
from nf.fingerprints.base import Choice, Draft, Scheme, Task, TrainingModels
from nf.fingerprints.pixel_adam import PixelAdam
from nf.models import freeze, predicted_labels, predicted_logits


@dataclass(frozen=True)
class IPGuardConfig:
    """The published settings, but for ``margins``: the paper's k is 10, and results depend strongly on it.

    Attributes:
        margins: values of k to try, in units of the source model's logits; the one whose queries separate stolen from
            independent training models best is used.
        candidates: number of training images to start from, for each k.
        iterations: number of steps before an image is given up.
        learning_rate: Adam's learning rate on the pixels, in units of the [0, 1] range.
        choice: ``published`` takes the first images that arrive at the boundary; ``held-out`` those of all that tell
            calibration models apart best.
    """

    margins: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)
    candidates: int = 200
    iterations: int = 1000
    learning_rate: float = 0.001
    choice: Choice = "published"

    def __post_init__(self) -> None:
        if not self.margins or min(self.margins) < 0:
            raise ValueError(f"margins: expected at least one of 0 or more, got {self.margins}")
        at_least(self, candidates=1, iterations=1)
        positive(self, "learning_rate")


class IPGuard(Scheme):
    """Training images moved until the source model prefers their least likely class by k, labelled by the source."""

    name = "ipguard"
    Config = IPGuardConfig
    needs_gradients = True
    config: IPGuardConfig

    def run(self, task: Task) -> Draft:
        """Move images for all k side by side and keep the best k; ``sweep`` in the notes has the outcome of each k.

        Raises:
            NotEnoughQueriesError: for no k do enough images arrive at the boundary.
        """
        starts, labels, targets = self._starts(task)
        count, tried = len(starts), len(self.config.margins)
        margins = torch.tensor(self.config.margins, device=starts.device).repeat_interleave(count)
        labels, targets = labels.repeat(tried), targets.repeat(tried)
        images, arrived = self._approach(task, starts.repeat(tried, 1, 1, 1), labels, targets, margins)
        outcomes = list(zip(self.config.margins, images.split(count), arrived.split(count), strict=True))
        drafts = {
            k: _draft(to_bytes(reached[mask][: self.wanted(task)]), task.models)
            for k, reached, mask in outcomes
            if mask.sum() >= task.queries
        }
        separations = {k: _separation(draft, task.models) for k, draft in drafts.items()}
        sweep = [{"k": k, "arrived": int(mask.sum()), "separation": separations.get(k)} for k, _, mask in outcomes]
        if not drafts:
            raise NotEnoughQueriesError(
                f"expected {task.queries} images at the boundary, got {[(row['k'], row['arrived']) for row in sweep]} "
                "as (k, images); raise candidates or iterations, or try smaller margins"
            )
        best = max(separations, key=separations.__getitem__)
        return replace(drafts[best], notes={"k": best, "sweep": sweep})

    def _starts(self, task: Task) -> tuple[Tensor, Tensor, Tensor]:
        """Correctly classified training images in [0, 1], their labels i, and j: the least likely class of each."""
        order = torch.randperm(len(task.data.images), generator=torch.Generator().manual_seed(task.seed))
        images = to_float(task.data.images[order].to(task.models.device))
        logits, truths = predicted_logits(task.models.source, images), task.data.labels[order].to(images.device)
        right = (logits.argmax(dim=1) == truths).nonzero().squeeze(1)[: self.config.candidates]
        return images[right], truths[right], logits[right].argmin(dim=1)

    def _approach(
        self, task: Task, starts: Tensor, labels: Tensor, targets: Tensor, margins: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Descend ``boundary_loss`` until it is zero: (N, C, H, W) images, and (N,) bool, whether each arrived."""
        source, adam = freeze(task.models.source), PixelAdam(starts, self.config.learning_rate)
        reached, arrived = starts.clone(), torch.zeros_like(labels, dtype=torch.bool)
        moving = torch.arange(len(starts), device=starts.device)
        for step in range(self.config.iterations):
            leaf = adam.leaf()
            losses = boundary_loss(source(leaf), labels[moving], targets[moving], margins[moving])
            gradient = torch.autograd.grad(losses.sum(), leaf)[0]
            done = losses == 0
            reached[moving[done]], arrived[moving[done]] = adam.images[done], True
            moving = moving[~done]
            if len(moving) == 0:
                break
            adam.keep(~done)
            adam.step(gradient[~done])
            if task.progress is not None:
                task.progress(step + 1, self.config.iterations, {"moving": len(moving)})
        return reached, arrived


def boundary_loss(logits: Tensor, labels: Tensor, targets: Tensor, margins: Tensor) -> Tensor:
    """How far images are from the boundary between two classes (paper, equation 3).

    Args:
        logits: (N, classes) logits Z.
        labels: (N,) int64 labels i that the images start with.
        targets: (N,) int64 labels j on the other side of the boundary.
        margins: (N,) margins k in logits.

    Returns:
        (N,) relu(Z_i - Z_j + k) + relu(max_{t != i, j} Z_t - Z_i): zero where j leads i by k and i all others.
    """
    rows = torch.arange(len(logits), device=logits.device)
    own, target = logits[rows, labels], logits[rows, targets]
    others = logits.scatter(1, torch.stack([labels, targets], dim=1), -math.inf).amax(dim=1)
    return (own - target + margins).relu() + (others - own).relu()


def _draft(images: Tensor, models: TrainingModels) -> Draft:
    labels = predicted_labels(models.source, to_float(images))
    return Draft(images, labels, torch.full_like(labels, -1))


def _separation(draft: Draft, models: TrainingModels) -> float:
    """Mean matching rate of the positives minus that of the negatives, in [-1, 1]: the area between their curves."""

    def mean_rate(pool: tuple[nn.Module, ...]) -> float:
        matches = [predicted_labels(model, to_float(draft.images)) == draft.labels for model in pool]
        return float(torch.stack(matches).double().mean())

    return mean_rate(models.positives) - mean_rate(models.negatives)
