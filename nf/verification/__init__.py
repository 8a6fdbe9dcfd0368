"""From a suspect to a verdict: black boxes, decision, evidence. A verdict needs numpy, no torch."""

from nf.verification.asking import ask
from nf.verification.counting import CountingPredictor
from nf.verification.decision import Calibration, Verdict, decide, load_calibration
from nf.verification.defences import DEFENCES, DefendedSuspect
from nf.verification.evidence import evidence
from nf.verification.isolation import IsolatedSuspect, ask_isolated
from nf.verification.onnx_suspect import OnnxSuspect

__all__ = [
    "DEFENCES",
    "Calibration",
    "CountingPredictor",
    "DefendedSuspect",
    "IsolatedSuspect",
    "OnnxSuspect",
    "Verdict",
    "ask",
    "ask_isolated",
    "decide",
    "evidence",
    "load_calibration",
]
