"""Metrics over score tables: ARUC, ROC, margins, intervals; budget curves over answers. Imports without torch."""

from nf.evaluation.aruc import aruc, curves, robustness, uniqueness
from nf.evaluation.budget import BudgetPoint, budget_curve
from nf.evaluation.evaluate import Evaluation, evaluate, measure_table, metrics_json
from nf.evaluation.extended import EXTENDED_GROUPS, ExtendedEvaluation, evaluate_extended
from nf.evaluation.intervals import estimate
from nf.evaluation.margins import Margin, margins, summarise
from nf.evaluation.plots import write_plots
from nf.evaluation.sequential import Asked, SequentialCounts, count_queries
from nf.evaluation.verdicts import Judged, VerdictCounts, calibrated_table, check_levels, count_verdicts, judge

__all__ = [
    "EXTENDED_GROUPS",
    "Asked",
    "BudgetPoint",
    "Evaluation",
    "ExtendedEvaluation",
    "Judged",
    "Margin",
    "SequentialCounts",
    "VerdictCounts",
    "aruc",
    "budget_curve",
    "calibrated_table",
    "check_levels",
    "count_queries",
    "count_verdicts",
    "curves",
    "estimate",
    "evaluate",
    "evaluate_extended",
    "judge",
    "margins",
    "measure_table",
    "metrics_json",
    "robustness",
    "summarise",
    "uniqueness",
    "write_plots",
]
