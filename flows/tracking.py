"""The runs that MLflow gets: one for a pipeline, comparison, refingerprint or watch, and one below per scheme and GAN.

The functions here say what is logged; ``flows.outbox`` keeps and sends it.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from flows.environment import ROOT
from flows.outbox import RunRecord, log
from nf.core.files import read_json
from nf.core.lineage import SOURCE_ID
from nf.core.paths import (
    CARD_FILE,
    GENERATOR_FILE,
    HISTORY_FILE,
    METRICS_FILE,
    PAGE_FILE,
    QUALITY_FILE,
    SCORES_FILE,
    SHEETS_FOLDER,
    VERDICTS_FILE,
)
from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable
from nf.evaluation import robustness, uniqueness
from nf.gan import read_history
from nf.monitoring import CorrectedVerdict, IssuedSet, Ledger
from nf.stages.compare import comparison_detection, comparison_variants, evaluated_schemes
from nf.stages.gan import trained_gans
from nf.stages.own_model import is_black_box
from nf.stages.provenance import git_commit
from nf.stages.report import gans_of, scheme_figures
from nf.stages.run import Run
from nf.verdict import Benchmark

_CURVE_STEPS = 100


def log_pipeline(run: Run, scheme: str) -> None:
    """Log the report about ``scheme``: below it a run of its evaluation and one of each GAN's training.

    The source model, unless it is a black box, and the generators become versions of registered models.
    """
    page = {"report/index.html": run.layout.report / PAGE_FILE}
    known = not is_black_box(run.layout)
    record = RunRecord(
        f"pipeline-{_tags(run)['git_commit']}",
        tags={**_tags(run), "kind": "pipeline", "scheme": scheme},
        files={**page, "source/source.onnx": run.layout.exported(SOURCE_ID)} if known else page,
        models={f"naturalfinger-{run.profile.name}-source": "source"} if known else {},
        children=[_evaluated(run, scheme), *(_gan(run, name) for name in trained_gans(run))],
    )
    log(_experiment(run), record)


def log_comparison(run: Run) -> None:
    """Log page and figures of the comparison, what the detectors find and every variant's metrics; schemes stand below.

    Metrics are named after what they are about: ``variant.<name>.aruc`` with the seed as step, and
    ``detection.<scheme>.<detector>``.
    """
    metrics = [
        (f"variant.{record['variant']}.{name}", value, int(record["seed"]))
        for record in comparison_variants(run)
        for name, value in _numbers(record.get("metrics", {}))
    ]
    metrics += [
        (f"detection.{scheme}.{name}", value, 0)
        for scheme, found in comparison_detection(run).items()
        for name, value in _numbers(found)
    ]
    record = RunRecord(
        "comparison",
        metrics=metrics,
        tags={**_tags(run), "kind": "comparison"},
        files={"comparison": run.layout.comparison},
        children=[_evaluated(run, scheme) for scheme in evaluated_schemes(run)],
    )
    log(_experiment(run), record)


def log_refingerprint(run: Run, issued: IssuedSet) -> None:
    """Log a set that has just been issued, and as ``change.*`` how its metrics differ from those of the one before.

    Metrics of two schemes are no series: where the one before is of another scheme, the tag ``change`` says so instead.
    """
    ledger = Ledger(run.layout.issued)
    folder = ledger.folder(issued.digest)
    before = [known for known in ledger.sets() if known.digest != issued.digest][-1:]
    comparable = [known for known in before if known.scheme == issued.scheme]
    now = dict(_numbers(read_json(folder / METRICS_FILE)))
    then = dict(_numbers(read_json(ledger.folder(comparable[0].digest) / METRICS_FILE))) if comparable else {}
    record = RunRecord(
        f"refingerprint-{issued.digest[:8]}",
        metrics=[(f"change.{name}", now[name] - then[name], 0) for name in now if name in then],
        tags={
            **_tags(run),
            "kind": "refingerprint",
            "scheme": issued.scheme,
            "query_set": issued.digest,
            **({"previous_query_set": before[0].digest} if before else {}),
            **({"change": f"none stated: the set before is of {before[0].scheme}"} if before != comparable else {}),
        },
        children=[_evaluation(run, issued.scheme, folder, folder / SCORES_FILE, folder / METRICS_FILE)],
    )
    log(_experiment(run), record)


def log_watch(run: Run, issued: IssuedSet, verdicts: Mapping[str, CorrectedVerdict], benchmark: Benchmark) -> None:
    """Log the corrected verdict on each suspect of the list, and the known errors of the query set in use.

    Tags ``outcome.<suspect>`` hold what is claimed, metrics ``<suspect>.*`` the scores and p-values, raw and corrected,
    metrics ``benchmark.*`` the errors; page and JSON are artifacts.
    """
    metrics = [(f"benchmark.{name}", value, 0) for name, value in _numbers(benchmark.to_json())]
    for suspect, verdict in verdicts.items():
        metrics += [(f"{suspect}.{name}", value, 0) for name, value in _numbers(verdict.to_json())]
    record = RunRecord(
        f"watch-{issued.digest[:8]}",
        metrics=metrics,
        tags={
            **_tags(run),
            "kind": "watch",
            "scheme": issued.scheme,
            "query_set": issued.digest,
            **{f"outcome.{suspect}": verdict.outcome for suspect, verdict in verdicts.items()},
        },
        files={f"watch/{name}": run.layout.watch / name for name in (PAGE_FILE, VERDICTS_FILE)},
    )
    log(_experiment(run), record)


def _evaluated(run: Run, scheme: str) -> RunRecord:
    layout = run.layout
    return _evaluation(run, scheme, layout.fingerprint(scheme), layout.scores(scheme), layout.metrics(scheme))


def _evaluation(run: Run, scheme: str, folder: Path, scores: Path, metrics: Path) -> RunRecord:
    """One scheme with one query set.

    Parameters are the settings of the profile, metrics everything in the file ``metrics`` and the robustness and
    uniqueness curves with the threshold in percent as step; artifacts are figures, query set and scores.
    """
    queries, table, found = QuerySet.load(folder), ScoreTable.load(scores), read_json(metrics)
    figures = scheme_figures(scheme, table, float(found["threshold"]))
    return RunRecord(
        f"{scheme}-{queries.digest[:8]}",
        params=_parameters(run, scheme),
        metrics=[*((name, value, 0) for name, value in _numbers(found)), *_curves(table)],
        tags={**_tags(run), "kind": "scheme", "scheme": scheme, "query_set": queries.digest},
        files={
            **{f"figures/{name}.png": _png(figure) for name, figure in figures.items()},
            **{f"fingerprint/{path.name}": path for path in sorted(folder.iterdir())},
            "scores/scores.csv": scores,
        },
    )


def _gan(run: Run, name: str) -> RunRecord:
    """How the training of one GAN went.

    Parameters are its hyper-parameters, metrics the columns of ``history.csv`` by step and, as ``quality.*``, what its
    samples are worth at the end; artifacts are the sheets of samples, and the generator with its card.
    """
    folder = run.layout.gan(name)
    metrics = [
        (key, value, int(row["step"]))
        for row in read_history(folder / HISTORY_FILE)
        for key, value in row.items()
        if key != "step"
    ]
    metrics += [(f"quality.{key}", value, 0) for key, value in read_json(folder / QUALITY_FILE).items()]
    return RunRecord(
        name,
        params={key: str(value)[:500] for key, value in _leaves(read_json(folder / CARD_FILE)["config"])},
        metrics=metrics,
        tags={**_tags(run), "kind": "gan", "gan": name},
        files={
            "samples": folder / SHEETS_FOLDER,
            **{f"generator/{file}": folder / file for file in (GENERATOR_FILE, CARD_FILE)},
        },
        models={f"naturalfinger-{run.profile.name}-{name}": "generator"},
    )


def _experiment(run: Run) -> str:
    return f"naturalfinger-{run.profile.name}"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _parameters(run: Run, scheme: str) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "seed": run.profile.seed,
        "data": asdict(run.profile.data),
        "zoo": asdict(run.profile.zoo),
        scheme: dict(run.profile.schemes[scheme]),
    }
    for gan in gans_of(run, scheme):
        if gan in run.profile.gans:  # one that was imported has no section
            chosen[f"gan.{gan}"] = dict(run.profile.gans[gan])
    return {name: str(value)[:500] for name, value in _leaves(chosen)}


def _numbers(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in _leaves(metrics):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _curves(table: ScoreTable) -> Iterator[tuple[str, float, int]]:
    suspects = table.select(pool="suspects")
    positive, negative = suspects.select(role="positive").values, suspects.select(role="negative").values
    thresholds = np.arange(_CURVE_STEPS + 1) / _CURVE_STEPS
    for step, shares in enumerate(zip(robustness(positive, thresholds), uniqueness(negative, thresholds), strict=True)):
        yield "curve.robustness", float(shares[0]), step
        yield "curve.uniqueness", float(shares[1]), step


def _tags(run: Run) -> dict[str, str]:
    data = read_json(run.layout.data / CARD_FILE)
    return {"profile": run.profile.name, "data_hash": data["hashes"]["A"], "git_commit": git_commit(ROOT)}
