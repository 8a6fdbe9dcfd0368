"""Figures of the evaluation; each function returns a ``Figure`` and leaves matplotlib's global state alone."""

from nf.report.figures.budget import budget_figure
from nf.report.figures.margins import adversarial_figure, extractions_figure, modifications_figure
from nf.report.figures.overview import curves_figure, rates_figure
from nf.report.figures.queries import labels_figure, queries_figure
from nf.report.figures.style import to_svg
from nf.report.figures.variants import ablation_figure, gans_figure

__all__ = [
    "ablation_figure",
    "adversarial_figure",
    "budget_figure",
    "curves_figure",
    "extractions_figure",
    "gans_figure",
    "labels_figure",
    "modifications_figure",
    "queries_figure",
    "rates_figure",
    "to_svg",
]
