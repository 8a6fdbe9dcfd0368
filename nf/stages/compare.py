"""Stage ``compare``: all schemes side by side, in the paper's tables and figures and beyond."""

import logging
from dataclasses import fields
from pathlib import Path
from typing import Any

from nf.core.errors import ArtifactError
from nf.core.files import read_csv, read_json
from nf.core.paths import BUDGET_FILE, CARD_FILE, METRICS_FILE, PAGE_FILE
from nf.core.queries import QuerySet
from nf.core.variants import VariantId
from nf.evaluation import BudgetPoint
from nf.report import ComparisonInputs, write_comparison
from nf.stages.freshness import current_variants, query_set_is_current
from nf.stages.report import check_query_set, scheme_result
from nf.stages.run import Run

_logger = logging.getLogger(__name__)


def compare(run: Run) -> Path:
    """Write ``comparison/index.html`` and its figures, and return the path of the page.

    It shows every scheme of the profile that is evaluated, and whatever of detection and variants is there. What was
    made with other settings, images or models than the current ones is left out, with a warning.

    Raises:
        ArtifactError: no scheme is evaluated, or a record is damaged.
    """
    names, variants = evaluated_schemes(run), comparison_variants(run)
    _warn_of_others("nf bench", [name for name in _with_metrics(run) if name not in names])
    _warn_of_others("nf variant", [_item(record) for record in _variant_records(run) if record not in variants])
    if not names:
        raise ArtifactError(f"expected current metrics in {run.layout.root / 'metrics'}, found none; run `nf bench`")
    inputs = ComparisonInputs(
        profile=run.profile.name,
        description=run.profile.description,
        schemes=tuple(scheme_result(run, name) for name in names),
        class_names=tuple(read_json(run.layout.data / CARD_FILE, advice="run `nf prepare`")["class_names"]),
        detection=comparison_detection(run),
        variants=variants,
        budgets={name: _columns(path) for name in names if (path := run.layout.plots(name) / BUDGET_FILE).exists()},
        timings=run.seconds(),
    )
    write_comparison(inputs, run.layout.comparison)
    return run.layout.comparison / PAGE_FILE


def evaluated_schemes(run: Run) -> list[str]:
    """Schemes of the profile that have metrics of a current query set, in the order of ``params.yaml``."""
    return [name for name in _with_metrics(run) if query_set_is_current(run, name)]


def comparison_detection(run: Run) -> dict[str, dict[str, Any]]:
    """Records of the stage ``detect`` that exist, by evaluated scheme.

    Raises:
        ArtifactError: a record is damaged, or of another query set than the scheme's.
    """
    paths = {name: run.layout.detection(name) for name in evaluated_schemes(run)}
    found = {name: read_json(path, advice=f"run `nf detect {name}`") for name, path in paths.items() if path.exists()}
    for name, record in found.items():
        queries = QuerySet.load(run.layout.fingerprint(name))
        check_query_set(paths[name], record, queries, advice=f"run `nf detect {name}`")
    return found


def comparison_variants(run: Run) -> tuple[dict[str, Any], ...]:
    """Records of the profile's variants that are there and current, in the order of ``params.yaml``, then by seed."""
    return tuple(current_variants(run, _variant_records(run)))


def _with_metrics(run: Run) -> list[str]:
    return [name for name in run.profile.schemes if run.layout.metrics(name).exists()]


def _variant_records(run: Run) -> list[dict[str, Any]]:
    there = [VariantId.parse(path.parent.name) for path in run.layout.variants.glob(f"*/{METRICS_FILE}")]
    in_order = sorted(there, key=lambda variant: variant.seed)
    return [
        read_json(run.layout.variant(variant), advice=f"run `nf variant {variant}`")
        for name in run.profile.variants.each
        for variant in in_order
        if variant.name == name
    ]


def _item(record: dict[str, Any]) -> str:
    return str(VariantId(record["variant"], record["seed"]))


def _warn_of_others(command: str, left_out: list[str]) -> None:
    if left_out:
        _logger.warning(
            "left out of the comparison, as made with other settings, images or models: %s; run `%s %s`",
            *(", ".join(left_out), command, left_out[0]),
        )


def _columns(path: Path) -> dict[str, list[float]]:
    names = [field.name for field in fields(BudgetPoint)]
    rows = read_csv(path, dict.fromkeys(names, float), advice=f"run `nf evaluate {path.parent.name}`")
    return {name: [row[name] for row in rows] for name in names}
