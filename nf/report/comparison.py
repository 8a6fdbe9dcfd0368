"""The comparison: every table and figure of the paper for all schemes of a profile, on one page and as files."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nf.core.errors import ConfigError
from nf.core.files import write_text
from nf.core.paths import PAGE_FILE
from nf.core.scores import ScoreTable
from nf.evaluation import EXTENDED_GROUPS, margins, summarise
from nf.report import figures
from nf.report.drawings import svg_markup
from nf.report.figures.budget import Budget
from nf.report.inputs import SchemeResult
from nf.report.names import DETECTORS, architecture_name, attack_name, scheme_name
from nf.report.paper import PAPER_ARUC, PAPER_DETECTION, PAPER_GANS, PAPER_PROFILES
from nf.report.ranking import failures, reach, standings
from nf.report.rendering import environment
from nf.report.variants import VariantRecord, VariantRow, ablation_rows, gan_rows, other_rows, variant_rows

_TEMPLATE = "comparison.html.j2"


@dataclass(frozen=True)
class ComparisonInputs:
    """Everything that the comparison shows; missing parts are shown as not measured.

    Attributes:
        profile: name of the profile.
        description: what the profile is, as the end of "This run used ...".
        schemes: at least one; the first is the project's own.
        class_names: names of the labels; numbers where there are none.
        detection: records of the stage ``detect`` by scheme.
        variants: records of the stage ``variant``.
        budgets: columns of ``budget.csv`` by scheme.
        timings: seconds by stage.
    """

    profile: str
    description: str
    schemes: tuple[SchemeResult, ...]
    class_names: tuple[str, ...] = ()
    detection: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variants: tuple[VariantRecord, ...] = ()
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


def comparison_figures(inputs: ComparisonInputs) -> dict[str, Figure]:
    """Figures by name; figures without data are left out."""
    suspects = _tables(inputs.schemes, "suspects")
    thresholds = {scheme_name(s.name): float(s.evaluation["threshold"]) for s in inputs.schemes}
    query_sets = {scheme_name(s.name): s.queries for s in inputs.schemes if s.queries is not None}
    first = inputs.schemes[0]
    drawn: dict[str, Figure | None] = {
        "figure-2-labels": figures.labels_figure(first.queries, inputs.class_names) if first.queries else None,
        "figure-4-curves": figures.curves_figure(suspects, thresholds),
        "figure-5-adversarial": figures.adversarial_figure(suspects),
        "figure-6-modifications": figures.modifications_figure(suspects),
        "figure-7-extractions": figures.extractions_figure(suspects),
        "figure-8-queries": figures.queries_figure(query_sets) if query_sets else None,
        "budget": figures.budget_figure({scheme_name(name): budget for name, budget in inputs.budgets.items()})
        if inputs.budgets
        else None,
        "table-3-ablation": figures.ablation_figure(ablation_rows(_variants(inputs))),
        "figure-9-gans": figures.gans_figure(gan_rows(_variants(inputs))),
    }
    for scheme in inputs.schemes:
        extended = extended_table(scheme.table)
        if extended.rows:
            name = scheme_name(scheme.name)
            drawn[f"plus-{scheme.name}"] = figures.rates_figure(extended, thresholds[name])
    return {name: figure for name, figure in drawn.items() if figure is not None}


def extended_table(table: ScoreTable) -> ScoreTable:
    """The suspects of FingerBench+ with the name of their group in place of the attack's."""
    rows = table.select(pool="plus").rows
    return ScoreTable(tuple(replace(row, attack=EXTENDED_GROUPS[row.attack]) for row in rows))


def write_comparison(inputs: ComparisonInputs, folder: Path) -> None:
    """Write ``index.html`` and ``figures/<name>.svg`` into ``folder``; equal inputs give equal bytes.

    Raises:
        ConfigError: there is no scheme.
        ArtifactError: the mirror of a suspect is missing, or a file cannot be written.
    """
    if not inputs.schemes:
        raise ConfigError("schemes: expected the results of at least one scheme, got none")
    drawings = {
        name: svg_markup(figure, name, name.replace("-", " ")) for name, figure in comparison_figures(inputs).items()
    }
    for name, drawing in drawings.items():
        write_text(folder / "figures" / f"{name}.svg", str(drawing))
    page = environment().get_template(_TEMPLATE).render({**_context(inputs), "drawings": drawings})
    write_text(folder / PAGE_FILE, page)


def _context(inputs: ComparisonInputs) -> dict[str, Any]:
    confidence = float(inputs.schemes[0].evaluation["confidence"])
    rows = _variants(inputs)
    return {
        "inputs": inputs,
        "schemes": [(scheme_name(s.name), s.name, s.evaluation) for s in inputs.schemes],
        "verdicts": {s.name: found for s in inputs.schemes if (found := s.evaluation.get("verdicts"))},
        "first": scheme_name(inputs.schemes[0].name),
        "confidence": confidence,
        "behind": standings(inputs.schemes, inputs.detection),
        "reach": {scheme_name(s.name): reach(s) for s in inputs.schemes},
        "failures": {scheme_name(s.name): failures(s) for s in inputs.schemes},
        "margins": {
            scheme_name(s.name): summarise(margins(s.table.select(pool="suspects")), confidence=confidence)
            for s in inputs.schemes
        },
        "groups": {group: attack_name(group) for group in EXTENDED_GROUPS.values()},
        "twins": _twins(inputs.schemes),
        "zoo": _zoo(inputs.schemes[0].table),
        "detectors": DETECTORS,
        "detector_accuracies": _detector_accuracies(inputs),
        "ablation": ablation_rows(rows),
        "gans": gan_rows(rows),
        "variants": other_rows(rows),
        "variant_settings": _settings(inputs.variants),
        "paper": inputs.profile in PAPER_PROFILES,
        "paper_aruc": PAPER_ARUC,
        "paper_gans": PAPER_GANS,
        "paper_detection": PAPER_DETECTION,
        "times": _times(inputs.timings),
    }


def _tables(schemes: Iterable[SchemeResult], pool: str) -> dict[str, ScoreTable]:
    return {scheme_name(scheme.name): scheme.table.select(pool=pool) for scheme in schemes}


def _detector_accuracies(inputs: ComparisonInputs) -> list[tuple[str, str, Mapping[str, float]]]:
    """(scheme whose queries they look at, what they learned from, accuracies); ``all`` where these are the same."""
    lines = []
    for kind, title in DETECTORS.items():
        found = {
            scheme_name(scheme.name): inputs.detection[scheme.name][kind]["accuracy"]
            for scheme in inputs.schemes
            if scheme.name in inputs.detection
        }
        several, distinct = len(found) > 1, {tuple(sorted(accuracy.items())) for accuracy in found.values()}
        if several and len(distinct) == 1:
            found = {"all": next(iter(found.values()))}
        lines += [(name, title, accuracy) for name, accuracy in found.items()]
    return lines


def _variants(inputs: ComparisonInputs) -> list[VariantRow]:
    return variant_rows(inputs.variants, float(inputs.schemes[0].evaluation["confidence"]))


def _twins(schemes: Iterable[SchemeResult]) -> list[tuple[str, list[float]]]:
    """Architecture of each twin, and its score by each scheme."""
    rates: dict[str, list[float]] = {}
    for scheme in schemes:
        for row in extended_table(scheme.table).rows:
            if row.attack == EXTENDED_GROUPS["train"]:
                rates.setdefault(architecture_name(row.architecture), []).append(row.score)
    return list(rates.items())


def _zoo(table: ScoreTable) -> list[tuple[str, int, int]]:
    """Table 1: models by attack, stolen and honest."""
    counts = Counter((row.attack, row.role) for row in table.select(pool="suspects").rows)
    return [
        (attack_name(attack), counts[attack, "positive"], counts[attack, "negative"])
        for attack in dict.fromkeys(attack for attack, _ in counts)
    ]


def _settings(records: Iterable[VariantRecord]) -> dict[str, Any]:
    """What all variants that found their queries share."""
    keys = ("candidates", "shortlist", "epochs", "screen_repeats")
    each = [
        {
            "queries": record["queries"],
            "training models": record["training_models"],
            **{key: record["parameters"][key] for key in keys if key in record["parameters"]},
        }
        for record in records
        if "metrics" in record
    ]
    return (
        {key: value for key, value in each[0].items() if all(other.get(key) == value for other in each)} if each else {}
    )


def _times(timings: Mapping[str, float]) -> list[tuple[str, int, float]]:
    """Runs and seconds of each kind of stage; a variant's seeds and settings are one kind."""
    runs: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for stage, value in timings.items():
        kind = "variant" if stage.startswith("variant@") else stage
        runs[kind] += 1
        seconds[kind] += value  # type: ignore[assignment]
    return [(kind, runs[kind], float(seconds[kind])) for kind in runs]
