"""Variants of a scheme in tables: the paper's ablation (table 3) and the remedy against accused twins."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from scipy import stats

from nf.report.paper import PAPER_ABLATION

VariantRecord = Mapping[str, Any]
"""What the stage ``variant`` writes."""

_ABLATED = {"label", "transforms", "discriminator"}


@dataclass(frozen=True)
class Spread:
    """Mean over seeds of a metric in [0, 1], and its Student interval within it; no interval for a single seed."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float], confidence: float) -> "Spread":
        """The spread of at least one value.

        Args:
            values: one a seed.
            confidence: of the interval, in (0, 1).
        """
        centre = mean(values)
        if len(values) == 1:
            return cls(centre, None, None)
        half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
        return cls(centre, max(0.0, centre - half), min(1.0, centre + half))


@dataclass(frozen=True)
class VariantRow:
    """One variant over its seeds.

    Attributes:
        name: of the variant.
        label: whether the second label is adversarial and not random.
        transform: whether inputs are transformed.
        discriminator: ``none``, ``published`` or ``corrected``.
        ablated: whether it differs from the scheme as it is in these three alone.
        gan: whose images it starts from.
        gan_alone: whether it differs from the scheme as it is in its GAN at most.
        seeds: that found enough queries.
        short: seeds that did not.
        aruc: against the paper's negatives, or None if no seed found enough queries.
        aruc_twins: against twins, or None likewise or if there are none.
        accused: mean share of honest suspects that are called stolen, or None.
        twins_accused: mean share of twins that are, or None.
        missed: mean share of stolen suspects that are not, or None.
        paper: the paper's ARUC for this combination or None.
    """

    name: str
    label: bool
    transform: bool
    discriminator: str
    ablated: bool
    gan: str
    gan_alone: bool
    seeds: int
    short: int
    aruc: Spread | None
    aruc_twins: Spread | None
    accused: float | None
    twins_accused: float | None
    missed: float | None
    paper: float | None


def variant_rows(records: Iterable[VariantRecord], confidence: float) -> list[VariantRow]:
    """A row for each variant of NaturalFinger, in the order in which they first occur.

    Args:
        records: one a variant and seed.
        confidence: of the intervals.
    """
    by_name: dict[str, list[VariantRecord]] = {}
    for record in records:
        if record["scheme"] == "naturalfinger":
            by_name.setdefault(record["variant"], []).append(record)
    return [_row(name, group, confidence) for name, group in by_name.items()]


def _row(name: str, records: list[VariantRecord], confidence: float) -> VariantRow:
    found = [record["metrics"] for record in records if "metrics" in record]
    settings = records[0]["parameters"]
    label, transform = settings["label"] != "random", list(settings["transforms"]) != ["identity"]
    discriminator = str(settings["discriminator"])
    changed = set(records[0]["changes"])
    ablated = changed <= _ABLATED

    def spread(values: list[float]) -> Spread | None:
        return Spread.of(values, confidence) if values else None

    def share(part: str, whole: str) -> float | None:
        errors = [metrics["at_threshold"] for metrics in found]
        return mean(error[part] / error[whole] for error in errors) if errors else None

    twins = [metrics["plus"]["twin"] for metrics in found if "twin" in metrics["plus"]]
    return VariantRow(
        name=name,
        label=label,
        transform=transform,
        discriminator=discriminator,
        ablated=ablated,
        gan=str(settings["gan"]),
        gan_alone=changed <= {"gan", "discriminator"} and discriminator == "corrected",
        seeds=len(found),
        short=len(records) - len(found),
        aruc=spread([metrics["aruc"] for metrics in found]),
        aruc_twins=spread([m["plus"]["aruc_twins"] for m in found if "aruc_twins" in m["plus"]]),
        accused=share("false_positives", "negatives"),
        missed=share("false_negatives", "positives"),
        twins_accused=mean(group["called_stolen"] / group["models"] for group in twins) if twins else None,
        # The paper's discriminator term is the published one.
        paper=PAPER_ABLATION[label, transform, discriminator == "published"]
        if ablated and discriminator != "corrected"
        else None,
    )


def ablation_rows(rows: Iterable[VariantRow]) -> list[VariantRow]:
    """The rows of table 3, in the paper's order; each combination with a discriminator term comes with both signs."""
    order = list(PAPER_ABLATION)
    chosen = [row for row in rows if row.ablated]
    return sorted(chosen, key=lambda row: order.index((row.label, row.transform, row.discriminator != "none")))


def gan_rows(rows: Iterable[VariantRow]) -> list[VariantRow]:
    """The rows of figure 9: the scheme as it is, and variants that differ in their GAN alone."""
    return [row for row in rows if row.gan_alone]


def other_rows(rows: Sequence[VariantRow]) -> list[VariantRow]:
    """What neither table 3 nor figure 9 has, beside the scheme as it is; empty if they have all."""
    others = [row for row in rows if not (row.ablated or row.gan_alone)]
    return [row for row in rows if row in others or row.name == "label-transform-corrected"] if others else []
