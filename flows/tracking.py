"""MLflow: one run per scheme and evaluation, one per trained GAN, made so that two can be compared in its UI."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import mlflow
from mlflow.entities import Metric, RunTag

from flows.environment import MLFLOW_HOME, ROOT
from nf.core.files import read_json
from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable
from nf.gan import HISTORY_FILE, SHEETS_FOLDER, read_history
from nf.stages.compare import comparison_detection, comparison_variants, evaluated_schemes
from nf.stages.facts import git_commit
from nf.stages.gan import QUALITY_FILE
from nf.stages.report import scheme_figures
from nf.stages.run import Run

_CURVE_STEPS = 100
_METRICS_AT_ONCE = 1000  # MLflow takes no more in one batch


def log_evaluation(run: Run, scheme: str) -> str:
    """Log the evaluation of one scheme and return the id of its MLflow run.

    Parameters are the settings of the profile, metrics everything in ``metrics/<scheme>.json`` and the robustness and
    uniqueness curves with the threshold in percent as step; artifacts are figures, query set, scores and the report.
    """
    layout, metrics = run.layout, read_json(run.layout.metrics(scheme))
    queries = QuerySet.load(layout.fingerprint(scheme))
    mlflow.set_experiment(experiment_id=_experiment(f"naturalfinger-{run.profile.name}"))
    with mlflow.start_run(run_name=f"{scheme}-{queries.digest[:8]}") as active:
        run_id: str = active.info.run_id
        mlflow.log_params(_parameters(run, scheme))
        client = mlflow.MlflowClient()
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, active.info.start_time, 0) for name, value in _numbers(metrics)]
            + list(_curves(ScoreTable.load(layout.scores(scheme)), active.info.start_time)),
            tags=[RunTag(name, value) for name, value in _tags(run, scheme, queries).items()],
        )
        for name, figure in scheme_figures(run, scheme).items():
            mlflow.log_figure(figure, f"figures/{name}.png")
        mlflow.log_artifacts(str(layout.fingerprint(scheme)), "fingerprint")
        mlflow.log_artifact(str(layout.scores(scheme)), "scores")
        mlflow.log_artifact(str(layout.report / "index.html"), "report")
    return run_id


def log_comparison(run: Run) -> str:
    """Log page and figures of the comparison, what the detectors find and every variant's metrics; return the run's id.

    Metrics are named after what they are about: ``scheme.<name>.aruc``, ``variant.<name>.aruc`` with the seed as step,
    and ``detection.<scheme>.<detector>``.
    """
    layout = run.layout
    mlflow.set_experiment(experiment_id=_experiment(f"naturalfinger-{run.profile.name}"))
    with mlflow.start_run(run_name="comparison") as active:
        run_id: str = active.info.run_id
        started = active.info.start_time
        metrics = [
            Metric(f"variant.{record['variant']}.{name}", value, started, int(record["seed"]))
            for record in comparison_variants(run)
            for name, value in _numbers(record.get("metrics", {}))
        ]
        metrics += [
            Metric(f"detection.{scheme}.{name}", value, started, 0)
            for scheme, record in comparison_detection(run).items()
            for name, value in _numbers(record)
        ]
        metrics += [
            Metric(f"scheme.{scheme}.{name}", value, started, 0)
            for scheme in evaluated_schemes(run)
            for name, value in _numbers(read_json(layout.metrics(scheme)))
        ]
        _log_in_batches(run_id, metrics)
        tags = [RunTag("profile", run.profile.name), RunTag("git_commit", git_commit(ROOT))]
        mlflow.MlflowClient().log_batch(run_id, tags=tags)
        mlflow.log_artifacts(str(layout.comparison), "comparison")
    return run_id


def log_gan(run: Run, name: str) -> str:
    """Log how the training of one GAN went and return the id of its MLflow run.

    Parameters are its hyper-parameters, metrics the columns of ``history.csv`` by step and, as ``quality.*``, what its
    samples are worth at the end; artifacts are the sheets of samples and the card.
    """
    folder = run.layout.gan(name)
    mlflow.set_experiment(experiment_id=_experiment(f"naturalfinger-{run.profile.name}-gans"))
    with mlflow.start_run(run_name=name) as active:
        run_id: str = active.info.run_id
        mlflow.log_params({key: str(value) for key, value in _leaves(read_json(folder / "card.json")["config"])})
        started = active.info.start_time
        metrics = [
            Metric(key, value, started, int(row["step"]))
            for row in read_history(folder / HISTORY_FILE)
            for key, value in row.items()
            if key != "step"
        ]
        metrics += [
            Metric(f"quality.{key}", value, started, 0) for key, value in read_json(folder / QUALITY_FILE).items()
        ]
        _log_in_batches(run_id, metrics)
        mlflow.log_artifacts(str(folder / SHEETS_FOLDER), "samples")
        mlflow.log_artifact(str(folder / "card.json"))
    return run_id


def _log_in_batches(run_id: str, metrics: Sequence[Metric]) -> None:
    for first in range(0, len(metrics), _METRICS_AT_ONCE):
        mlflow.MlflowClient().log_batch(run_id, metrics=metrics[first : first + _METRICS_AT_ONCE])


def _experiment(name: str) -> str:
    """Id of the experiment; a new one keeps its artifacts beside the default store, or where the server says."""
    known = mlflow.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    local = mlflow.get_tracking_uri().startswith("sqlite:")
    place = (MLFLOW_HOME / "artifacts").as_uri() if local else None
    return str(mlflow.create_experiment(name, artifact_location=place))


def _parameters(run: Run, scheme: str) -> dict[str, Any]:
    profile = asdict(run.profile)
    chosen = {key: profile[key] for key in ("seed", "data", "zoo")} | {scheme: dict(run.profile.schemes[scheme])}
    if gan := run.profile.schemes[scheme].get("gan"):
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


def _curves(table: ScoreTable, timestamp: int) -> Iterator[Metric]:
    suspects = table.select(pool="suspects")
    positive, negative = suspects.select(role="positive").values, suspects.select(role="negative").values
    for step in range(_CURVE_STEPS + 1):
        threshold = step / _CURVE_STEPS
        yield Metric("curve.robustness", float((positive >= threshold).mean()), timestamp, step)
        yield Metric("curve.uniqueness", float((negative < threshold).mean()), timestamp, step)


def _tags(run: Run, scheme: str, queries: QuerySet) -> dict[str, str]:
    data = read_json(run.layout.data / "card.json")
    return {
        "profile": run.profile.name,
        "scheme": scheme,
        "query_set": queries.digest,
        "data_hash": data["hashes"]["A"],
        "git_commit": git_commit(ROOT),
    }
