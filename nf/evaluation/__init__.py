"""Metrics over score tables: ARUC, ROC, margins and their intervals. Imports without torch."""

from nf.evaluation.budget import BudgetPoint, budget_curve
from nf.evaluation.evaluate import Evaluation, evaluate
from nf.evaluation.plus import PlusEvaluation, evaluate_plus

__all__ = ["BudgetPoint", "Evaluation", "PlusEvaluation", "budget_curve", "evaluate", "evaluate_plus"]
