"""From answers to a verdict: p-values, decision, known error rates, evidence. Imports without torch."""

from nf.verdict.benchmark import Benchmark, Found, load_benchmark
from nf.verdict.card import check_card
from nf.verdict.decision import OUTCOMES, Outcome, Verdict, decide, outcome_of
from nf.verdict.evidence import evidence, no_verdict
from nf.verdict.levels import PValue, holm, p_value

__all__ = [
    "OUTCOMES",
    "Benchmark",
    "Found",
    "Outcome",
    "PValue",
    "Verdict",
    "check_card",
    "decide",
    "evidence",
    "holm",
    "load_benchmark",
    "no_verdict",
    "outcome_of",
    "p_value",
]
