"""One Prefect flow per pipeline stage. A flow schedules; what is done stands in ``nf.stages``."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow, Task, flow
from prefect.cache_policies import NO_CACHE

from flows.runners import task_runner
from nf import stages
from nf.cli.progress import show_progress
from nf.core.errors import ConfigError
from nf.stages import Run
from nf.zoo import ModelBuilder, ZooPlan


def _task(function: Callable[..., Any], name: str, **options: Any) -> Any:
    """A task without Prefect's own caching: DVC knows what is up to date, and a finished model is not built again."""
    return Task(function, name=name, cache_policy=NO_CACHE, persist_result=False, **options)


def _simple(name: str, function: Callable[..., Any]) -> Flow[..., None]:
    """A flow with one task, for stages that are one piece of work."""
    work = _task(function, name)

    @flow(name=name, validate_parameters=False)
    def stage(profile: str | None = None, item: str | None = None) -> None:
        with show_progress(name) as progress:
            run = Run.open(profile, progress=progress)
            with run.stage(f"{name}@{item}" if item else name):
                work(run, item) if item else work(run)

    return stage


@flow(name="zoo", validate_parameters=False)
def zoo(profile: str | None = None, item: str | None = None) -> None:
    """Build the missing models, one task each, along the lineage graph."""
    del item
    with show_progress("zoo") as progress:
        run = Run.open(profile, progress=progress)
        with run.stage("zoo"):
            plan = stages.plan_zoo(run)
            todo = stages.missing_models(run, plan)
            if todo:
                _build_along_lineage(run, plan, todo)
            _task(stages.summarise_zoo, "summarise")(run, plan)


def _build_along_lineage(run: Run, plan: ZooPlan, todo: list[str]) -> None:
    """A task waits for its parent's; as many run at once as there are workers."""
    parents = {model_id: plan.lineage[model_id].parent for model_id in todo}
    options = {"retries": run.profile.execution.retries, "task_run_name": "{model_id}"}
    if run.profile.execution.runner == "dask":
        builder = ModelBuilder(plan, run.layout.data.resolve(), run.layout.zoo.resolve())
        _spread("zoo-models", run, _task(builder.build, "build", **options), parents)
    else:
        with stages.open_workers(run, plan) as workers:
            _spread("zoo-models", run, _task(workers.build, "build", **options), parents)


def _spread(name: str, run: Run, task: Task[..., Any], items: Mapping[str, str | None]) -> list[Any]:
    """What ``task`` returns for each of ``items`` on the profile's runner; one that names another waits for it."""

    # Prefect sends this flow with every task to a worker elsewhere: it holds on to nothing but the task and the items.
    @flow(name=name, task_runner=task_runner(run.profile.execution))
    def spread() -> Iterator[Any]:
        futures: dict[str, Any] = {}
        for item, other in items.items():
            earlier = futures.get(other or "")
            futures[item] = task.submit(item, wait_for=[earlier] if earlier else None)
        for future in futures.values():
            yield future.result()

    results = []
    for item, result in zip(items, spread(), strict=True):
        results.append(result)
        run.progress(len(results), len(items), item)
    return results


@flow(name="bench", validate_parameters=False)
def bench(profile: str | None = None, item: str | None = None) -> None:
    """Queries, answers and metrics of each scheme and variant in params.yaml, one task each, or of ``item``."""
    with show_progress("bench") as progress:
        run = Run.open(profile, progress=progress)
        work = _task(stages.Bench.of(run).work, "work", task_run_name="{item}")
        with run.stage("bench"):
            for seconds in _spread("bench-items", run, work, dict.fromkeys([item] if item else _listed_items())):
                for name, value in seconds.items():
                    run.record(name, value)


def _listed_items() -> list[str]:
    """What ``dvc repro`` runs too: each scheme, and each variant under each seed."""
    listed = yaml.safe_load(Path("params.yaml").read_text())
    return [*listed["schemes"], *(f"{name}/{seed}" for name in listed["variants"] for seed in listed["variant_seeds"])]


@flow(name="report", validate_parameters=False)
def report(profile: str | None = None, item: str | None = None) -> None:
    """Write the report about the scheme ``item``, then log its evaluation and each GAN's training to MLflow."""
    from flows.tracking import log_evaluation, log_gan  # MLflow takes seconds to import, and few stages need it

    if item is None:
        raise ConfigError("report: expected the scheme that it is about as --item, got none")
    run = Run.open(profile)
    with run.stage("report"):
        _task(stages.report, "report")(run, item)
        _task(log_evaluation, "mlflow")(run, item)
        log = _task(log_gan, "mlflow-gan", task_run_name="mlflow-{name}")
        for name in stages.trained_gans(run):
            log(run, name)


@flow(name="compare", validate_parameters=False)
def compare(profile: str | None = None, item: str | None = None) -> None:
    """Write the comparison, then log it to MLflow."""
    from flows.tracking import log_comparison

    del item
    run = Run.open(profile)
    with run.stage("compare"):
        _task(stages.compare, "compare")(run)
        _task(log_comparison, "mlflow")(run)


STAGES: dict[str, Flow[..., None]] = {
    "prepare": _simple("prepare", stages.prepare),
    "zoo": zoo,
    "gan": _simple("gan", stages.gan),
    "fingerprint": _simple("fingerprint", stages.fingerprint),
    "export": _simple("export", stages.export),
    "verify": _simple("verify", stages.verify),
    "bench": bench,
    "evaluate": _simple("evaluate", stages.evaluate),
    "detect": _simple("detect", stages.detect),
    "variant": _simple("variant", stages.variant),
    "report": report,
    "compare": compare,
}


def run_stage(name: str, profile: str | None, item: str | None) -> None:
    """Run one stage's flow.

    Raises:
        ConfigError: there is no such stage.
    """
    if name not in STAGES:
        raise ConfigError(f"unknown stage {name!r}: expected one of {', '.join(STAGES)}")
    STAGES[name](profile=profile, item=item)
