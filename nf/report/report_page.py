"""The report: one HTML file with everything inside, for a browser that is offline."""

from pathlib import Path
from typing import Any

from nf.core.files import write_text
from nf.core.queries import QuerySet
from nf.evaluation import margins, summarise
from nf.report import figures, names
from nf.report.drawings import svg_markup
from nf.report.images import png_uri, query_tiles
from nf.report.inputs import ReportInputs
from nf.report.paper import PAPER_PROFILES, comparisons
from nf.report.rendering import environment
from nf.report.tables import (
    accuracies_by_architecture,
    accuracies_by_attack,
    quality_rows,
    suspect_rows,
)

_TEMPLATE = "template.html.j2"


_SCORES = {
    "matching rate": "its matching rate: the share of them that it labels as the source model does",
    "verifier": "how likely the scheme's verifier takes it for stolen, after all of its answers",
}


def write_report(inputs: ReportInputs, path: Path) -> None:
    """Write the page to ``path``, with no script and nothing loaded from elsewhere; equal inputs give equal bytes.

    Raises:
        ArtifactError: a picture or the mirror of a suspect is missing, or ``path`` cannot be written.
    """
    write_text(path, environment().get_template(_TEMPLATE).render(_context(inputs)))


def _absent_attacks(queries: QuerySet) -> list[str]:
    """Attacks of which no calibration model was made; none of a query set without a calibration."""
    if queries.calibration is None:
        return []
    known = {model.kind for model in queries.calibration.models if model.group == "thief"}
    return [attack for attack in names.THIEVES if attack not in known]


def _knows_twins_alone(queries: QuerySet) -> bool:
    """Whether all honest calibration models learned from the owner's data."""
    known = queries.calibration
    return known is not None and len(known.select("independent")) == 0


def _context(inputs: ReportInputs) -> dict[str, Any]:
    scheme, name = inputs.scheme, names.scheme_name(inputs.scheme.name)
    threshold = float(scheme.evaluation["threshold"])
    suspects = scheme.table.select(pool="suspects")
    tables = {name: suspects}
    return {
        "inputs": inputs,
        "name": name,
        "result": scheme.evaluation,
        "calibrated": scheme.evaluation.get("calibrated"),
        "verdicts": scheme.evaluation.get("verdicts"),
        "absent": _absent_attacks(scheme.queries),
        "twins_alone": _knows_twins_alone(scheme.queries),
        "card": scheme.queries.card,
        "score": _SCORES[scheme.queries.measure],
        "measure": scheme.queries.measure,
        "rows": suspect_rows(suspects, threshold, inputs.accuracies),
        "tiles": query_tiles(scheme.queries, inputs.class_names),
        "margins": summarise(margins(suspects), confidence=float(scheme.evaluation["confidence"])),
        "curves": svg_markup(
            figures.curves_figure(tables, {name: threshold}), "curves", "Robustness and uniqueness over the threshold"
        ),
        "scores": svg_markup(figures.rates_figure(suspects, threshold), "scores", f"{name}: all scores"),
        "modifications": svg_markup(
            figures.modifications_figure(tables), "modifications", "Margins after fine-tuning, pruning and noise"
        ),
        "adversarial": svg_markup(
            figures.adversarial_figure(tables), "adversarial", "Scores under adversarial training"
        ),
        "extractions": svg_markup(
            figures.extractions_figure(tables), "extractions", "Margins by architecture under distillation and knockoff"
        ),
        "gan": names.gan_name(inputs.gan.name) if inputs.gan else None,
        "samples": png_uri(inputs.gan.sheet) if inputs.gan else None,
        "quality": quality_rows(inputs.gan.quality) if inputs.gan else [],
        "by_attack": accuracies_by_attack(inputs.accuracies),
        "by_architecture": accuracies_by_architecture(inputs.accuracies),
        "paper": comparisons(suspects, scheme.evaluation) if inputs.profile in PAPER_PROFILES else [],
    }
