"""Metrics over score tables: ARUC, ROC, margins and their intervals. Imports without torch."""

from nf.evaluation.evaluate import Evaluation, evaluate
from nf.evaluation.plus import PlusEvaluation, evaluate_plus

__all__ = ["Evaluation", "PlusEvaluation", "evaluate", "evaluate_plus"]
