"""One Prefect flow per pipeline stage. A flow schedules; what is done stands in ``nf.stages``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect import Flow, Task, flow
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from nf.cli.progress import show_progress
from nf.core.errors import ConfigError, UnknownNameError
from nf.stages import STAGES, load_stage
from nf.stages.run import Run

if TYPE_CHECKING:
    from nf.zoo import ZooPlan, ZooWorkers


def _task(function: Callable[..., Any], name: str, **options: Any) -> Any:
    """A task without Prefect's own caching: DVC knows what is up to date, and a finished model is not built again."""
    return Task(function, name=name, cache_policy=NO_CACHE, persist_result=False, **options)


def _simple(name: str) -> Flow[..., None]:
    """A flow with one task, for stages that are one piece of work."""

    @flow(name=name, validate_parameters=False)
    def stage(profile: str | None = None, item: str | None = None) -> None:
        with show_progress(name) as progress:
            run = Run.open(profile, progress=progress)
            with run.stage(f"{name}@{item}" if item else name):
                work = _task(load_stage(name), name)
                work(run, item) if item else work(run)

    return stage


@flow(name="zoo", validate_parameters=False)
def zoo(profile: str | None = None, item: str | None = None) -> None:
    """Build the missing models, one task each, along the lineage graph."""
    from nf.stages import zoo as stage  # a stage imports what it needs when it runs

    del item
    with show_progress("zoo") as progress:
        run = Run.open(profile, progress=progress)
        with run.stage("zoo"):
            plan = stage.plan_zoo(run)
            todo = stage.missing_models(run, plan)
            if todo:
                with stage.open_workers(run, plan) as workers:
                    _build_along_lineage(run, plan, todo, workers)
            _task(stage.summarise_zoo, "summarise")(run, plan)


def _build_along_lineage(run: Run, plan: "ZooPlan", todo: list[str], workers: "ZooWorkers") -> None:
    """A task waits for its parent's; as many run at once as there are workers."""
    execution = run.profile.execution
    build = _task(workers.build, "build", retries=execution.retries, task_run_name="{model_id}")
    runner: Any = ThreadPoolTaskRunner(max_workers=execution.workers)

    @flow(name="zoo-models", task_runner=runner)
    def models() -> None:
        futures: dict[str, Any] = {}
        for model_id in todo:
            parent = futures.get(plan.lineage[model_id].parent or "")
            futures[model_id] = build.submit(model_id, wait_for=[parent] if parent else None)
        for done, (model_id, future) in enumerate(futures.items(), start=1):
            future.result()
            run.progress(done, len(todo), model_id)

    models()


@flow(name="report", validate_parameters=False)
def report(profile: str | None = None, item: str | None = None) -> None:
    """Write the report about the scheme ``item``, then log its evaluation and each GAN's training to MLflow."""
    from flows.tracking import log_pipeline  # MLflow takes seconds to import, and few stages need it

    if item is None:
        raise ConfigError("report: expected the scheme that it is about as --item, got none")
    run = Run.open(profile)
    with run.stage("report"):
        _task(load_stage("report"), "report")(run, item)
        _task(log_pipeline, "mlflow")(run, item)


@flow(name="compare", validate_parameters=False)
def compare(profile: str | None = None, item: str | None = None) -> None:
    """Write the comparison, then log it to MLflow."""
    from flows.tracking import log_comparison

    del item
    run = Run.open(profile)
    with run.stage("compare"):
        _task(load_stage("compare"), "compare")(run)
        _task(log_comparison, "mlflow")(run)


FLOWS: dict[str, Flow[..., None]] = {
    **{name: _simple(name) for name in STAGES},
    "zoo": zoo,
    "report": report,
    "compare": compare,
}


def run_stage(name: str, profile: str | None, item: str | None) -> None:
    """Run one stage's flow.

    Raises:
        UnknownNameError: there is no such stage.
    """
    if name not in FLOWS:
        raise UnknownNameError("stage", name, FLOWS)
    FLOWS[name](profile=profile, item=item)
