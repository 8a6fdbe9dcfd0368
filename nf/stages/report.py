"""Stage ``report``: everything that the other stages found, on one page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nf.core.errors import ArtifactError
from nf.core.files import read_csv, read_json
from nf.core.paths import CARD_FILE, PAGE_FILE, PARITY_FILE, QUALITY_FILE, SAMPLES_FILE, SUMMARY_FILE
from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable
from nf.fingerprints import make_scheme
from nf.report import GanResult, ParitySummary, ReportInputs, SchemeResult, ZooAccuracy, figures, write_report
from nf.stages.provenance import git_commit, machine, versions
from nf.stages.run import Run


def report(run: Run, scheme: str) -> Path:
    """Write ``report/index.html``, the page about ``scheme``, and return its path.

    Raises:
        ArtifactError: a stage before this one has not run.
    """
    summary = read_json(run.layout.zoo / SUMMARY_FILE, advice="run `nf zoo`")
    data = read_json(run.layout.data / CARD_FILE, advice="run `nf prepare`")
    models = [model for model in summary["models"] if model["pool"] == "suspects"]
    inputs = ReportInputs(
        profile=run.profile.name,
        description=run.profile.description,
        scheme=scheme_result(run, scheme),
        class_names=tuple(data["class_names"]),
        gan=next((_gan(run, name) for name in gans_of(run, scheme)), None),
        accuracies=tuple(
            ZooAccuracy(m["id"], m["architecture"], m["attack"], m["role"], m["test_accuracy"]) for m in models
        ),
        parity=_parity(run),
        timings=run.seconds(),
        facts=_facts(run, summary, data),
    )
    path = run.layout.report / PAGE_FILE
    write_report(inputs, path)
    return path


def scheme_figures(scheme: str, table: ScoreTable, threshold: float) -> dict[str, Figure]:
    """The report's figures for one scheme, by name, from its scores and the threshold of its verdicts."""
    suspects = table.select(pool="suspects")
    drawn = {
        "curves": figures.curves_figure({scheme: suspects}, {scheme: threshold}),
        "rates": figures.rates_figure(suspects, threshold),
        "modifications": figures.modifications_figure({scheme: suspects}),
        "adversarial": figures.adversarial_figure({scheme: suspects}),
        "extractions": figures.extractions_figure({scheme: suspects}),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def scheme_result(run: Run, name: str) -> SchemeResult:
    """What a page shows of one scheme.

    Raises:
        ArtifactError: it is not evaluated, or evaluated with another query set, or an artifact is damaged.
    """
    path, queries = run.layout.metrics(name), QuerySet.load(run.layout.fingerprint(name))
    metrics = read_json(path, advice=f"run `nf evaluate {name}`")
    check_query_set(path, metrics, queries, advice=f"run `nf score {name}` and `nf evaluate {name}`")
    return SchemeResult(name, metrics, ScoreTable.load(run.layout.scores(name)), queries)


def check_query_set(path: Path, record: Mapping[str, Any], queries: QuerySet, *, advice: str) -> None:
    """Check that the ``record`` in the file ``path`` is about ``queries``.

    Raises:
        ArtifactError: it is about another set; the message ends with ``advice``.
    """
    if record.get("query_set") != queries.digest:
        raise ArtifactError(
            f"{path}: expected figures of the query set {queries.digest[:12]}, got those of "
            f"{str(record.get('query_set'))[:12]}; {advice}"
        )


def gans_of(run: Run, scheme: str) -> tuple[str, ...]:
    """The GAN that ``scheme`` takes its queries from, if it takes one."""
    return make_scheme(scheme, run.profile.section("schemes", scheme)).gans


def _gan(run: Run, name: str) -> GanResult:
    folder = run.layout.gan(name)
    return GanResult(name, read_json(folder / QUALITY_FILE, advice=f"run `nf gan {name}`"), folder / SAMPLES_FILE)


def _parity(run: Run) -> ParitySummary | None:
    path = run.layout.onnx / PARITY_FILE
    if not path.exists():
        return None
    rows = read_csv(path, {"max_abs_difference": float, "labels_equal": str, "images": int}, advice="run `nf export`")
    return ParitySummary(
        models=len(rows),
        images=rows[0]["images"],
        max_abs_difference=max(row["max_abs_difference"] for row in rows),
        label_changes=sum(row["labels_equal"] != "True" for row in rows),
    )


def _facts(run: Run, summary: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    faithful = summary["extraction"]["faithful"]
    return (
        ("Images", ", ".join(f"{name} {count:,}" for name, count in data["sizes"].items())),
        ("Hash of split A", data["hashes"]["A"][:16]),
        ("Root seed", str(run.profile.seed)),
        (
            "Thieves that side with their victim where source and mirror disagree",
            "not measured" if faithful is None else f"{faithful:.0%} of {len(summary['extraction']['thieves'])}",
        ),
        ("Commit", git_commit()),
        ("Machine", machine()),
        ("Software", ", ".join(f"{name} {number}" for name, number in versions().items())),
    )
