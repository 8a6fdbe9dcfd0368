"""Figures and pages that tell a person what a run found."""

from nf.report.comparison import ComparisonInputs, write_comparison
from nf.report.inputs import GanResult, ParitySummary, ReportInputs, SchemeResult, ZooAccuracy
from nf.report.names import DETECTORS, gan_name, scheme_name
from nf.report.paper import PAPER_ARUC, PAPER_DETECTION, PAPER_PROFILES
from nf.report.report_page import write_report
from nf.report.variants import Spread, VariantRow, ablation_rows, variant_rows
from nf.report.watch_page import WatchedHistory, write_watch_page

__all__ = [
    "DETECTORS",
    "PAPER_ARUC",
    "PAPER_DETECTION",
    "PAPER_PROFILES",
    "ComparisonInputs",
    "GanResult",
    "ParitySummary",
    "ReportInputs",
    "SchemeResult",
    "Spread",
    "VariantRow",
    "WatchedHistory",
    "ZooAccuracy",
    "ablation_rows",
    "gan_name",
    "scheme_name",
    "variant_rows",
    "write_comparison",
    "write_report",
    "write_watch_page",
]
