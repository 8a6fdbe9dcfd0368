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
# ARUC by what is on: adversarial label, input transformation, discriminator loss (table 3).
PAPER_ABLATION = {
    (False, False, False): 0.79,
    (True, False, False): 0.84,
    (False, True, False): 0.86,
    (False, False, True): 0.80,
    (True, True, False): 0.87,
    (True, False, True): 0.86,
    (False, True, True): 0.86,
    (True, True, True): 0.91,
}
# ARUC by GAN (figure 9).
PAPER_GANS = {"sagan": 0.91, "wgan_gp": 0.86, "logan": 0.88, "contragan": 0.86, "icrgan": 0.84, "reacgan": 0.847}


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
        PaperComparison("ARUC", decimal(PAPER_ARUC["naturalfinger"]), decimal(evaluation["aruc"])),
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
