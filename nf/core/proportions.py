"""Exact intervals for shares such as an error rate, without scipy: a verdict needs numpy only."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Proportion:
    """A share that was counted.

    Cases of one lineage are alike and no independent witnesses: where lineages are known, the interval is the wider one
    of that over cases and that over lineages.

    Attributes:
        count: number of cases that had the property.
        total: number of cases in all.
        lineages: number of lineages with such a case, and of all lineages; ``None`` where each case is its own.

    Raises:
        ValueError: not 0 <= count <= total with total >= 1.
    """

    count: int
    total: int
    lineages: tuple[int, int] | None = None

    @classmethod
    def of(cls, cases: Iterable[tuple[bool, str]]) -> "Proportion":
        """Count cases, each with whether it has the property and its lineage; an empty name is one of its own.

        Raises:
            ValueError: there are none.
        """
        known = [(has, lineage or str(place)) for place, (has, lineage) in enumerate(cases)]
        having = [lineage for has, lineage in known if has]
        return cls(len(having), len(known), (len(set(having)), len({lineage for _, lineage in known})))

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
        counts = [(self.count, self.total), *([self.lineages] if self.lineages else [])]
        lows = [_lower(count, total, tail) for count, total in counts]
        highs = [1 - _lower(total - count, total, tail) for count, total in counts]
        return min(lows), max(highs)

    def to_json(self) -> dict[str, Any]:
        """Count, total, share and 95 % interval, with the lineages where they are known."""
        low, high = self.interval()
        told = {"count": self.count, "total": self.total, "rate": self.value, "low": low, "high": high}
        known = self.lineages
        return told if known is None else {**told, "lineages": {"count": known[0], "total": known[1]}}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Proportion":
        """What ``to_json`` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        known = told.get("lineages")
        return cls(told["count"], told["total"], None if known is None else (known["count"], known["total"]))

    def __str__(self) -> str:
        """Counts and 95 % interval, as in ``0 of 91, 0 of 15 lineages (95 % interval 0.0% to 21.8%)``."""
        low, high = self.interval()
        known = self.lineages
        of_lineages = "" if known is None else f", {known[0]} of {known[1]} lineages"
        return f"{self.count} of {self.total}{of_lineages} (95 % interval {low:.1%} to {high:.1%})"


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


def beside(value: float, limit: float) -> str:
    """``value`` to two significant digits, or as many as show on which side of ``limit`` it is.

    Beside 0.01 it is ``0.012`` for 0.01234 and ``0.0104`` for 0.01041.
    """
    return f"{value:.{digits_beside(value, limit)}g}"


def digits_beside(value: float, limit: float) -> int:
    """Significant digits of ``value``, at least two, that show on which side of ``limit`` it is."""
    most = 17  # which tell any two floats apart
    shows = (count for count in range(2, most) if (float(f"{value:.{count}g}") <= limit) == (value <= limit))
    return next(shows, most)
