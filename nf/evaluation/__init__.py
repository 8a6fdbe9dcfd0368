"""Metrics over score tables: ARUC, ROC, margins and their intervals. Imports without torch."""

from nf.evaluation.evaluate import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
