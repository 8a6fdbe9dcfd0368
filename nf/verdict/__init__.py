"""From answers to a verdict: p-values, decision, known error rates, evidence. Imports without torch."""

from nf.verdict.benchmark import Benchmark, Found, load_benchmark
from nf.verdict.card import check_card
from nf.verdict.commitment import Commitment, Committed, check_commitment, commit, commitment_folder
from nf.verdict.decision import OUTCOMES, Outcome, Verdict, corrected_together, corrections, decide, outcome_of
from nf.verdict.evidence import check_evidence_folder, evidence, identify, look_of, no_verdict, write_evidence
from nf.verdict.levels import PValue, holm, p_value
from nf.verdict.power import Power, critical_score, power
from nf.verdict.replay import Recorded, Replayed, changed_files, load_evidence, replay, share_equal
from nf.verdict.sequential import StagedVerdict, check_stages, decide_at_look, decide_in_stages

__all__ = [
    "OUTCOMES",
    "Benchmark",
    "Commitment",
    "Committed",
    "Found",
    "Outcome",
    "PValue",
    "Power",
    "Recorded",
    "Replayed",
    "StagedVerdict",
    "Verdict",
    "changed_files",
    "check_card",
    "check_commitment",
    "check_evidence_folder",
    "check_stages",
    "commit",
    "commitment_folder",
    "corrected_together",
    "corrections",
    "critical_score",
    "decide",
    "decide_at_look",
    "decide_in_stages",
    "evidence",
    "holm",
    "identify",
    "load_benchmark",
    "load_evidence",
    "look_of",
    "no_verdict",
    "outcome_of",
    "p_value",
    "power",
    "replay",
    "share_equal",
    "write_evidence",
]
