"""Variants of a scheme in tables: the paper's ablation (table 3) and the remedy against accused twins."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from scipy import stats

from nf.report.paper import PAPER_ABLATION

VariantRecord = Mapping[str, Any]
"""Contents of a file that the stage ``variant`` writes."""

_ABLATED = {"label", "transforms", "discriminator"}


@dataclass(frozen=True)
class Spread:
    """Mean of a metric over seeds, with its Student interval.

    Attributes:
        mean: mean of the metric, in [0, 1].
        low: lower end of the interval, at least 0; ``None`` for a single seed.
        high: upper end of the interval, at most 1; ``None`` for a single seed.
    """

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float], confidence: float) -> "Spread":
        """The spread of at least one value.

        Args:
            values: metric of each seed, in [0, 1].
            confidence: confidence of the interval, in (0, 1).
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
        name: name of the variant.
        label: whether the second label is adversarial and not random.
        transform: whether inputs are transformed.
        discriminator: sign of the discriminator's term: ``none``, ``published`` or ``corrected``.
        ablated: whether the variant differs from the unchanged scheme in these three parts alone.
        gan: name of the GAN whose images the variant starts from.
        gan_alone: whether the variant differs from the unchanged scheme in its GAN at most.
        seeds: number of seeds under which enough queries were found.
        short: number of seeds under which too few queries were found.
        aruc: ARUC against the paper's negatives, or ``None`` if no seed gave enough queries.
        aruc_twins: ARUC against twins, or ``None`` if no seed gave enough queries or there are no twins.
        accused: mean share of independent suspects that are called stolen, or ``None`` if no seed gave enough queries.
        twins_accused: mean share of twins that are called stolen, or ``None`` if ``aruc_twins`` is.
        missed: mean share of stolen suspects that are called honest, or ``None`` if no seed gave enough queries.
        paper: ARUC that the paper reports for this combination, or ``None`` if it reports none.
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
        records: records of the stage ``variant``, one for each variant and seed.
        confidence: confidence of the intervals, in (0, 1).
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
    """The unchanged scheme and variants that are neither in table 3 nor in figure 9; empty if there are none."""
    others = [row for row in rows if not (row.ablated or row.gan_alone)]
    return [row for row in rows if row in others or row.name == "label-transform-corrected"] if others else []
