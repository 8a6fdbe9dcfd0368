"""Figures of the evaluation; each function returns a ``Figure`` and leaves matplotlib's global state alone."""

from nf.report.figures.margins import adversarial_figure, extractions_figure, modifications_figure
from nf.report.figures.overview import curves_figure, rates_figure
from nf.report.figures.style import to_svg

__all__ = [
    "adversarial_figure",
    "curves_figure",
    "extractions_figure",
    "modifications_figure",
    "rates_figure",
    "to_svg",
]
