"""Metrics over score tables: ARUC, ROC, margins, intervals; budget curves over answers. Imports without torch."""

from nf.evaluation.aruc import aruc, curves, robustness, uniqueness
from nf.evaluation.budget import BudgetPoint, budget_curve
from nf.evaluation.evaluate import Evaluation, evaluate
from nf.evaluation.extended import EXTENDED_GROUPS, ExtendedEvaluation, evaluate_extended
from nf.evaluation.margins import Margin, margins, summarise
from nf.evaluation.plots import write_plots

__all__ = [
    "EXTENDED_GROUPS",
    "BudgetPoint",
    "Evaluation",
    "ExtendedEvaluation",
    "Margin",
    "aruc",
    "budget_curve",
    "curves",
    "evaluate",
    "evaluate_extended",
    "margins",
    "robustness",
    "summarise",
    "uniqueness",
    "write_plots",
]
