"""From a suspect to a verdict: black boxes, decision, evidence. A verdict needs numpy, no torch."""

from nf.verification.asking import ask
from nf.verification.counting import CountingPredictor
from nf.verification.decision import Calibration, Verdict, check_card, decide, load_calibration
from nf.verification.defences import DEFENCES, DefendedSuspect
from nf.verification.evidence import evidence
from nf.verification.history import Change, Observation, append_history, find_changes, read_history
from nf.verification.http_suspect import HttpSuspect
from nf.verification.isolation import IsolatedSuspect
from nf.verification.issued import IssuedSet, Ledger
from nf.verification.onnx_suspect import OnnxSuspect
from nf.verification.recorded import RecordedSuspect
from nf.verification.suspects import open_suspect
from nf.verification.watchlist import WatchedSuspect, Watchlist, load_watchlist, open_watched

__all__ = [
    "DEFENCES",
    "Calibration",
    "Change",
    "CountingPredictor",
    "DefendedSuspect",
    "HttpSuspect",
    "IsolatedSuspect",
    "IssuedSet",
    "Ledger",
    "Observation",
    "OnnxSuspect",
    "RecordedSuspect",
    "Verdict",
    "WatchedSuspect",
    "Watchlist",
    "append_history",
    "ask",
    "check_card",
    "decide",
    "evidence",
    "find_changes",
    "load_calibration",
    "load_watchlist",
    "open_suspect",
    "open_watched",
    "read_history",
]
