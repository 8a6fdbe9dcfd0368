"""The paper's own numbers, all of them on CIFAR-10."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nf.core.scores import ScoreTable
from nf.evaluation import Margin, margins
from nf.report.formats import decimal, points

# Its numbers stand beside those of runs on its images alone; a page says how the models of such a run differ.
PAPER_PROFILES = ("cifar10", "cifar10-brief", "cifar10-small")
# By scheme: section 4.2, and table 2.
PAPER_ARUC = {"naturalfinger": 0.9112, "metav": 0.7782}
PAPER_DETECTION = {"naturalfinger": 0.003, "metafinger": 1.0, "metav": 0.48, "ipguard": 0.85}


@dataclass(frozen=True)
class PaperComparison:
    """One line of the comparison with the paper.

    Attributes:
        name: name of the quantity.
        paper: value that the paper reports, as text.
        ours: value that this run reached, as text.
    """

    name: str
    paper: str
    ours: str


def comparisons(table: ScoreTable, evaluation: Mapping[str, Any]) -> list[PaperComparison]:
    """The paper's numbers for NaturalFinger beside those of ``table``, whose ARUC is in ``evaluation``."""
    pairs = margins(table)

    def lowest(chosen: Callable[[Margin], bool]) -> str:
        values = [pair.margin for pair in pairs if chosen(pair)]
        return f"{points(min(values))} points" if values else "not measured"

    return [
        PaperComparison("ARUC", "0.911", decimal(evaluation["aruc"])),
        PaperComparison("Lowest margin under fine-tuning", "over 95 points", lowest(lambda m: m.attack == "finetune")),
        PaperComparison(
            "Lowest margin with up to 70% of weights pruned",
            "about 90 points",
            lowest(lambda m: m.attack == "prune" and float(m.level) <= 0.7),
        ),
        PaperComparison(
            "Margin at noise value 1", "over 75 points", lowest(lambda m: m.attack == "noise" and float(m.level) == 1)
        ),
        PaperComparison(
            "Lowest margin over all architectures under distillation",
            "over 70 points",
            lowest(lambda m: m.attack == "distill"),
        ),
        PaperComparison(
            "Lowest margin over all architectures under knockoff",
            "over 70 points",
            lowest(lambda m: m.attack == "knockoff"),
        ),
    ]
