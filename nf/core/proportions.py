"""Exact intervals for shares such as an error rate, without scipy: a verdict needs numpy only."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Proportion:
    """A share that was counted.

    Attributes:
        count: number of cases that had the property.
        total: number of cases in all.

    Raises:
        ValueError: not 0 <= count <= total with total >= 1.
    """

    count: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.total or self.total == 0:
            raise ValueError(f"expected a count from 0 to a total of at least 1, got {self.count} of {self.total}")

    @property
    def value(self) -> float:
        """The observed share in [0, 1]."""
        return self.count / self.total

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided Clopper-Pearson interval in [0, 1]: it holds the true share with at least ``confidence``."""
        tail = (1 - confidence) / 2
        return _lower(self.count, self.total, tail), 1 - _lower(self.total - self.count, self.total, tail)

    def to_json(self) -> dict[str, Any]:
        """Count, total, share and 95 % interval."""
        low, high = self.interval()
        return {"count": self.count, "total": self.total, "rate": self.value, "low": low, "high": high}


def _lower(count: int, total: int, tail: float) -> float:
    """The share at which ``count`` or more of ``total`` have the probability ``tail``, which grows with the share."""
    if count == 0:
        return 0.0
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        if _upper_tail(count, total, middle) < tail:
            low = middle
        else:
            high = middle
    return low


def _upper_tail(count: int, total: int, share: float) -> float:
    """P(X >= count) for X ~ Binomial(total, share), 0 < share < 1, in logarithms as the coefficients overflow."""
    logs = (
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
        + k * math.log(share) + (total - k) * math.log1p(-share)
        for k in range(count, total + 1)
    )  # fmt: skip
    return math.fsum(map(math.exp, logs))
