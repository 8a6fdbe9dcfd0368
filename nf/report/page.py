"""The report: one HTML file with everything inside, for a browser that is offline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nf.core.errors import ConfigError
from nf.core.files import write_text
from nf.core.scores import ScoreTable
from nf.evaluation.margins import margins, summarise
from nf.report import figures, names
from nf.report.images import QueryTile, png_uri, query_tiles
from nf.report.inputs import ReportInputs, SchemeResult
from nf.report.paper import PAPER_PROFILES, comparisons
from nf.report.rendering import environment, svg_markup
from nf.report.tables import (
    SuspectRow,
    accuracies_by_architecture,
    accuracies_by_attack,
    quality_rows,
    suspect_rows,
)

_TEMPLATE = "template.html.j2"


@dataclass(frozen=True)
class _Scheme:
    """One scheme as the template shows it."""

    name: str
    evaluation: dict[str, Any]
    suspects: ScoreTable
    rows: list[SuspectRow]
    rates: Markup
    tiles: list[QueryTile]
    card: dict[str, Any]


def write_report(inputs: ReportInputs, path: Path) -> None:
    """Write the page to ``path``: no script, no font, no picture from elsewhere; equal inputs give equal bytes.

    Raises:
        ConfigError: there is no scheme.
        ArtifactError: a picture or the mirror of a suspect is missing, or ``path`` cannot be written.
    """
    if not inputs.schemes:
        raise ConfigError("schemes: expected the results of at least one scheme, got none")
    write_text(path, environment().get_template(_TEMPLATE).render(_context(inputs)))


def _context(inputs: ReportInputs) -> dict[str, Any]:
    schemes = [_scheme(inputs, result, index) for index, result in enumerate(inputs.schemes)]
    suspects = {scheme.name: scheme.suspects for scheme in schemes}
    first = schemes[0]
    return {
        "inputs": inputs,
        "schemes": schemes,
        "first": first,
        "suspects": first.suspects,
        "curves": svg_markup(
            figures.curves_figure(suspects, {s.name: s.evaluation["threshold"] for s in schemes}),
            "curves",
            "Robustness and uniqueness over the threshold",
        ),
        "margins": {scheme.name: summarise(margins(scheme.suspects)) for scheme in schemes},
        "modifications": svg_markup(
            figures.modifications_figure(suspects), "modifications", "Margins after fine-tuning, pruning and noise"
        ),
        "adversarial": svg_markup(
            figures.adversarial_figure(suspects), "adversarial", "Matching rates under adversarial training"
        ),
        "extractions": svg_markup(
            figures.extractions_figure(suspects),
            "extractions",
            "Margins by architecture under distillation and knockoff",
        ),
        "gans": [
            (names.gan_name(gan.name), bool(gan.quality), png_uri(gan.sheet) if gan.sheet else None)
            for gan in inputs.gans
        ],
        "quality": quality_rows([gan.quality for gan in inputs.gans if gan.quality]),
        "by_attack": accuracies_by_attack(inputs.accuracies),
        "by_architecture": accuracies_by_architecture(inputs.accuracies),
        "paper": comparisons(first.suspects, first.evaluation) if inputs.profile in PAPER_PROFILES else [],
    }


def _scheme(inputs: ReportInputs, result: SchemeResult, index: int) -> _Scheme:
    name = names.scheme_name(result.name)
    suspects = result.table.select(pool="suspects")
    threshold = float(result.evaluation["threshold"])
    rates = svg_markup(figures.rates_figure(suspects, threshold), f"rates-{index}", f"{name}: all matching rates")
    return _Scheme(
        name=name,
        evaluation=dict(result.evaluation),
        suspects=suspects,
        rows=suspect_rows(suspects, threshold, inputs.accuracies),
        rates=rates,
        tiles=query_tiles(result.queries, inputs.class_names) if result.queries else [],
        card=result.queries.card if result.queries else {},
    )
