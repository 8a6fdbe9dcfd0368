"""Figures and the page that tells a person what a run found."""

from nf.report.comparison import ComparisonInputs, write_comparison
from nf.report.inputs import GanResult, ParitySummary, ReportInputs, SchemeResult, ZooAccuracy
from nf.report.page import write_report

__all__ = [
    "ComparisonInputs",
    "GanResult",
    "ParitySummary",
    "ReportInputs",
    "SchemeResult",
    "ZooAccuracy",
    "write_comparison",
    "write_report",
]
