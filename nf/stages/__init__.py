"""One function per pipeline stage: the only place that joins the layers."""

from nf.stages.bench import BenchRow, bench
from nf.stages.compare import compare, comparison_detection, comparison_variants, evaluated_schemes
from nf.stages.detect import detect
from nf.stages.evaluate import evaluate
from nf.stages.export import export
from nf.stages.facts import git_commit
from nf.stages.fingerprint import fingerprint
from nf.stages.gan import QUALITY_FILE, gan, import_generator, trained_gans
from nf.stages.issue import METRICS_FILE, issue
from nf.stages.prepare import prepare
from nf.stages.report import report, scheme_figures
from nf.stages.run import Run
from nf.stages.variant import variant
from nf.stages.verify import verify
from nf.stages.watch import draw_watch, mark_announced, watch_changes, watch_suspect
from nf.stages.zoo import build_models, missing_models, open_workers, plan_zoo, summarise_zoo, zoo

__all__ = [
    "METRICS_FILE",
    "QUALITY_FILE",
    "BenchRow",
    "Run",
    "bench",
    "build_models",
    "compare",
    "comparison_detection",
    "comparison_variants",
    "detect",
    "draw_watch",
    "evaluate",
    "evaluated_schemes",
    "export",
    "fingerprint",
    "gan",
    "git_commit",
    "import_generator",
    "issue",
    "mark_announced",
    "missing_models",
    "open_workers",
    "plan_zoo",
    "prepare",
    "report",
    "scheme_figures",
    "summarise_zoo",
    "trained_gans",
    "variant",
    "verify",
    "watch_changes",
    "watch_suspect",
    "zoo",
]
