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
        level: the attack's strength or mode, as in ``ModelSpec.level``.
        data: name of the split that the attack learns from.
        splits: all images.
        victim: the model that is attacked, in eval mode; ``None`` for training from scratch.
        fresh: builds an untrained model of the wanted architecture.
        training: from-scratch schedule of that architecture.
        augment: training augmentation.
        seed: for everything that is drawn.
        precision: of forward passes while training, as in ``ZooConfig``.
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
        """(N, C, H, W) uint8 of the split."""
        return torch.from_numpy(self.splits[self.data].images)

    def labels(self) -> Tensor:
        """(N,) int64 of the split."""
        return torch.from_numpy(self.splits[self.data].labels)

    def fit(self, model: Classifier, schedule: TrainingConfig, **options: Any) -> None:
        """Train ``model`` in place on the split and its labels; ``options`` are further ones of ``nf.models.fit``."""
        fit(
            model,
            self.images(),
            self.labels(),
            schedule,
            seed=self.seed,
            augment=self.augment,
            precision=self.precision,
            **options,
        )

    def require_victim(self) -> Classifier:
        """The victim.

        Raises:
            ConfigError: there is none.
        """
        if self.victim is None:
            raise ConfigError("this attack needs a victim, got none")
        return self.victim

    def strength(self) -> float:
        """``level`` as a number.

        Raises:
            ConfigError: it is none.
        """
        try:
            return float(self.level)
        except ValueError:
            raise ConfigError(f"level: expected a number, got {self.level!r}") from None


@dataclass(frozen=True)
class Outcome:
    """The model that came out, and facts for its card (e.g. the sparsity reached)."""

    model: Classifier
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FineTuningConfig:
    """Fine-tuning on the thief's own data: SGD at a constant rate."""

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.005
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        _ = self.schedule  # whose ranges are the same

    @property
    def schedule(self) -> TrainingConfig:
        """The same as a ``TrainingConfig``."""
        return TrainingConfig(
            self.epochs, self.batch_size, self.learning_rate, self.weight_decay, self.momentum, "constant"
        )
