"""What every attack gets and gives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nf.core.config import TrainingConfig
from nf.core.errors import ConfigError
from nf.data import Augment, Splits
from nf.models import Classifier, fit


@dataclass(frozen=True)
class Job:
    """One model to make.

    Attributes:
        level: strength or mode of the attack, as in ``ModelSpec.level``.
        data: name of the split that the attack learns from.
        splits: images of all splits.
        victim: the model that is attacked, in eval mode; ``None`` for training from scratch.
        fresh: function that builds an untrained model of the wanted architecture.
        training: from-scratch schedule of the wanted architecture.
        augment: augmentation of training images.
        seed: root seed of all random draws.
        precision: precision of forward passes while training, as in ``ZooConfig``.
    """

    level: str
    data: str
    splits: Splits
    victim: Classifier | None
    fresh: Callable[[], Classifier]
    training: TrainingConfig
    augment: Augment
    seed: int
    precision: str | None = None

    def images(self) -> Tensor:
        """(N, C, H, W) uint8 images of the split ``data``."""
        return torch.from_numpy(self.splits[self.data].images)

    def labels(self) -> Tensor:
        """(N,) int64 labels of the split ``data``."""
        return torch.from_numpy(self.splits[self.data].labels)

    def fit(
        self, model: Classifier, schedule: TrainingConfig, *, targets: Tensor | None = None, **options: Any
    ) -> None:
        """Train a model in place on the images of the split ``data``.

        Args:
            model: model to train.
            schedule: epochs, batch size and learning rate.
            targets: (N, ...) what is to be learned of each image; its label by default.
            options: further arguments of ``nf.models.fit``.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        fit(
            model,
            self.images(),
            self.labels() if targets is None else targets,
            schedule,
            seed=self.seed,
            augment=self.augment,
            precision=self.precision,
            **options,
        )

    def require_victim(self) -> Classifier:
        """The victim, for attacks that need one.

        Raises:
            ConfigError: the job has no victim.
        """
        if self.victim is None:
            raise ConfigError("this attack needs a victim, got none")
        return self.victim

    def strength(self) -> float:
        """``level`` as a number.

        Raises:
            ConfigError: ``level`` is no number.
        """
        try:
            return float(self.level)
        except ValueError:
            raise ConfigError(f"level: expected a number, got {self.level!r}") from None


@dataclass(frozen=True)
class Outcome:
    """What an attack returns.

    Attributes:
        model: the new model, in eval mode.
        facts: plain values for its card, e.g. the sparsity that was reached.
    """

    model: Classifier
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FineTuningConfig:
    """Fine-tuning on the thief's own data: SGD at a constant rate.

    Attributes:
        epochs: number of passes over the data.
        batch_size: number of images per update.
        learning_rate: step size of every update.
        momentum: Nesterov momentum, in [0, 1).
        weight_decay: weight of the squared weights in the loss, without biases and norms.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.005
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        _ = self.schedule  # whose ranges are the same

    @property
    def schedule(self) -> TrainingConfig:
        """These settings as a ``TrainingConfig`` with a constant learning rate."""
        return TrainingConfig(
            self.epochs, self.batch_size, self.learning_rate, self.weight_decay, self.momentum, "constant"
        )
