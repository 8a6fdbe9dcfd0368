"""From answers to a verdict: decision, known error rates, evidence. Imports without torch."""

from nf.verdict.calibration import Calibration, load_calibration
from nf.verdict.card import check_card
from nf.verdict.decision import Verdict, decide
from nf.verdict.evidence import evidence, no_verdict

__all__ = ["Calibration", "Verdict", "check_card", "decide", "evidence", "load_calibration", "no_verdict"]
