"""Figures and pages that tell a person what a run found, or a verdict.

A name is loaded when it is first used: the page about one verdict needs jinja2 alone, the others draw with matplotlib,
which comes with the extra ``train``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nf.report.comparison import ComparisonInputs, write_comparison
    from nf.report.evidence_page import write_evidence_page
    from nf.report.formats import duration
    from nf.report.inputs import GanResult, ParitySummary, ReportInputs, SchemeResult, ZooAccuracy
    from nf.report.names import DETECTORS, gan_name, scheme_name
    from nf.report.paper import PAPER_ARUC, PAPER_DETECTION, PAPER_PROFILES
    from nf.report.progress_page import ProgressRow, Sight, State, write_progress_page
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
    "ProgressRow",
    "ReportInputs",
    "SchemeResult",
    "Sight",
    "Spread",
    "State",
    "VariantRow",
    "WatchedHistory",
    "ZooAccuracy",
    "ablation_rows",
    "duration",
    "gan_name",
    "scheme_name",
    "variant_rows",
    "write_comparison",
    "write_evidence_page",
    "write_progress_page",
    "write_report",
    "write_watch_page",
]

# The imports above once more: type checkers read those, Python runs these.
_HOMES = {
    "comparison": ("ComparisonInputs", "write_comparison"),
    "evidence_page": ("write_evidence_page",),
    "formats": ("duration",),
    "inputs": ("GanResult", "ParitySummary", "ReportInputs", "SchemeResult", "ZooAccuracy"),
    "names": ("DETECTORS", "gan_name", "scheme_name"),
    "paper": ("PAPER_ARUC", "PAPER_DETECTION", "PAPER_PROFILES"),
    "progress_page": ("ProgressRow", "Sight", "State", "write_progress_page"),
    "report_page": ("write_report",),
    "variants": ("Spread", "VariantRow", "ablation_rows", "variant_rows"),
    "watch_page": ("WatchedHistory", "write_watch_page"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker that saw this would take any name for one of the room's

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module 'nf.report' has no attribute {name!r}")
        value = getattr(import_module(f"nf.report.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
