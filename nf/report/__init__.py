"""Figures and pages that tell a person what a run found."""

from nf.report.comparison import ComparisonInputs, write_comparison
from nf.report.inputs import GanResult, ParitySummary, ReportInputs, SchemeResult, ZooAccuracy
from nf.report.report_page import write_report
from nf.report.watch_page import WatchedHistory, write_watch_page

__all__ = [
    "ComparisonInputs",
    "GanResult",
    "ParitySummary",
    "ReportInputs",
    "SchemeResult",
    "WatchedHistory",
    "ZooAccuracy",
    "write_comparison",
    "write_report",
    "write_watch_page",
]
