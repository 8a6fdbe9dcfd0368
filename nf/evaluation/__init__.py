"""Metrics over score tables: ARUC, ROC, margins and their intervals. Imports without torch."""

from nf.evaluation.budget import BudgetPoint, budget_curve
from nf.evaluation.evaluate import Evaluation, evaluate

__all__ = ["BudgetPoint", "Evaluation", "budget_curve", "evaluate"]
