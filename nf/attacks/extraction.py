"""Attacks that only query the victim: distillation and knockoff; and training from scratch, which has no victim."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from nf.attacks.base import Job, Outcome
from nf.core.config import TrainingConfig
from nf.core.sections import at_least, positive
from nf.models import Classifier, cross_entropy, fit, predict


@dataclass(frozen=True)
class ScratchConfig:
    """Training from scratch has no setting beyond the architecture's own schedule."""


@dataclass(frozen=True)
class ExtractionConfig:
    """Schedule of a thief; ``None`` takes the value of the architecture's schedule from scratch.

    Attributes:
        epochs: number of passes over the data.
        batch_size: number of images per update.
    """

    epochs: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        at_least(self, epochs=1, batch_size=1)

    def adapt(self, scratch: TrainingConfig) -> TrainingConfig:
        """The schedule ``scratch`` with the values that the thief sets himself."""
        epochs = scratch.epochs if self.epochs is None else self.epochs
        batch_size = scratch.batch_size if self.batch_size is None else self.batch_size
        return replace(scratch, epochs=epochs, batch_size=batch_size)


@dataclass(frozen=True)
class DistillationConfig(ExtractionConfig):
    """Schedule of a student.

    Attributes:
        temperature: divisor of teacher's and student's logits before the softmax, positive (the paper's supplement: 1).
        answers: whether the victim answers ``each`` augmented image anew (the paper), or each image ``once``, as it is,
            where an answer is slow or costs money.
    """

    temperature: float = 1.0
    answers: Literal["each", "once"] = "each"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "temperature")


@dataclass(frozen=True)
class KnockoffConfig(ExtractionConfig):
    """Schedule of a knockoff thief."""


def train(job: Job, _: ScratchConfig) -> Outcome:
    """Train from scratch on the labels of the split."""
    model = job.fresh()
    job.fit(model, job.training)
    return Outcome(model)


def distill(job: Job, config: DistillationConfig) -> Outcome:
    """Teach a student with the victim's logits on the victim's own training images (Hinton et al., 2015).

    The victim answers each augmented image anew, or each image once; labels are not used.
    """
    teacher, temperature = job.require_victim(), config.temperature
    once = config.answers == "once"

    def objective(student: Classifier, images: Tensor, answers: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = functional.log_softmax((answers if once else teacher(images)) / temperature, dim=1)
        given = functional.log_softmax(student(images) / temperature, dim=1)
        return functional.kl_div(given, wanted, reduction="batchmean", log_target=True) * temperature**2

    model = job.fresh()
    targets = predict(teacher, job.images()) if once else job.labels()
    job.fit(model, config.adapt(job.training), objective=objective, targets=targets)
    return Outcome(model, {"agreement": _agreement(model, teacher, job)})


def knockoff(job: Job, config: KnockoffConfig) -> Outcome:
    """Train a thief on the victim's probabilities for images of another data set (Orekondy et al., 2019, at random).

    Each image is a query once, and the answer belongs to exactly this image, so images are not augmented.
    """
    victim = job.require_victim()
    answers = predict(victim, job.images()).softmax(1)
    schedule = config.adapt(job.training)
    model = job.fresh()
    fit(model, job.images(), answers, schedule, seed=job.seed, precision=job.precision, objective=cross_entropy)
    return Outcome(model, {"agreement": _agreement(model, victim, job)})


def _agreement(model: Classifier, victim: Classifier, job: Job) -> float:
    """Share in [0, 1] of the test images to which thief and victim give the same label."""
    images = torch.from_numpy(job.splits["test"].images)
    same = predict(model, images).argmax(1) == predict(victim, images).argmax(1)
    return round(float(same.float().mean()), 6)
