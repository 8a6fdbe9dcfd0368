"""One Prefect flow per pipeline stage. A flow schedules; what is done stands in ``nf.stages``."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import Task, flow

from flows.runners import task_runner
from flows.tasks import make_task
from nf.core.config import Profile, load_settings
from nf.core.errors import ConfigError, NFError, UnknownNameError
from nf.core.progress import show_progress
from nf.stages import STAGES, load_stage
from nf.stages.run import Run

if TYPE_CHECKING:
    from nf.zoo import ZooPlan


_Stage = Callable[[str | None, str | None], None]
"""Function (name of the profile, item) -> None."""


def _simple(name: str) -> _Stage:
    """A stage that is one piece of work, and so one task."""

    def stage(profile: str | None = None, item: str | None = None) -> None:
        title = f"{name}@{item}" if item else name
        with show_progress(title) as progress:
            run = Run.open(profile, progress=progress)
            with run.stage(title):
                work = make_task(load_stage(name), name)
                work(run, item) if item else work(run)

    return stage


def zoo(profile: str | None = None, item: str | None = None) -> None:
    """Build the missing models, one task each, along the lineage graph."""
    from nf.stages import zoo as stage  # a stage imports what it needs when it runs

    del item
    with show_progress("zoo") as progress:
        run = Run.open(profile, progress=progress)
        with run.stage("zoo"):
            plan, todo = stage.begin_zoo(run)
            if todo:
                _build_along_lineage(run, plan, todo)
            make_task(stage.summarise_zoo, "summarise")(run, plan)


def _build_along_lineage(run: Run, plan: "ZooPlan", todo: list[str]) -> None:
    """A task waits for its parent's; as many run at once as there are workers."""
    from nf.stages.zoo import open_workers, source_opener
    from nf.zoo import ModelBuilder

    parents = {model_id: plan.lineage[model_id].parent for model_id in todo}
    options = {"retries": run.profile.execution.retries, "task_run_name": "{model_id}"}
    if run.profile.execution.runner == "dask":
        builder = ModelBuilder(plan, run.layout.data.resolve(), run.layout.zoo.resolve(), source_opener(run))
        _spread("zoo-models", run, make_task(builder.build, "build", **options), parents)
    else:
        with open_workers(run, plan) as workers:
            _spread("zoo-models", run, make_task(workers.build, "build", **options), parents)


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
    try:
        for item, result in zip(items, spread(), strict=True):
            results.append(result)
            run.progress(len(results), len(items), item)
    except CancelledError as error:  # by Dask: nobody here cancels a task
        reason = " ".join(str(error).split())
        raise NFError(
            f"{name}: expected the Dask scheduler to stay, lost it ({reason}); start it and run again, what is "
            "finished is kept"
        ) from error
    return results


def bench(profile: str | None = None, item: str | None = None) -> None:
    """Queries, answers and metrics of each scheme and variant in params.yaml, one task each, or of ``item``."""
    from nf.stages.bench import Bench

    with show_progress("bench") as progress:
        run = Run.open(profile, progress=progress)
        work = make_task(Bench.of(run).work, "work", task_run_name="{item}")
        with run.stage("bench"):
            _spread("bench-items", run, work, dict.fromkeys([item] if item else _listed_items(run.profile)))


def _listed_items(profile: Profile) -> list[str]:
    """What ``dvc repro`` runs too: each scheme, and each variant under each seed."""
    settings = load_settings(Path("params.yaml"))
    settings.check_lists(profile)
    return [*settings.schemes, *map(str, settings.variant_ids())]


def report(profile: str | None = None, item: str | None = None) -> None:
    """Write the report about the scheme ``item``, then log its evaluation and each GAN's training to MLflow."""
    from flows.tracking import log_pipeline  # MLflow takes seconds to import, and few stages need it

    run = Run.open(profile)
    with run.stage("report"):
        make_task(load_stage("report"), "report")(run, item)
        make_task(log_pipeline, "mlflow")(run, item)


def compare(profile: str | None = None, item: str | None = None) -> None:
    """Write the comparison, then log it to MLflow."""
    from flows.tracking import log_comparison

    del item
    run = Run.open(profile)
    with run.stage("compare"):
        make_task(load_stage("compare"), "compare")(run)
        make_task(log_comparison, "mlflow")(run)


_STAGES: dict[str, _Stage] = {
    **{name: _simple(name) for name in STAGES},
    "zoo": zoo,
    "bench": bench,
    "report": report,
    "compare": compare,
}


def run_stage(name: str, profile: str | None, item: str | None) -> None:
    """Run one stage as a flow; only its own is made, as Prefect takes long for each.

    Raises:
        UnknownNameError: there is no such stage.
        ConfigError: the stage wants an item and there is none, or the other way round.
    """
    if name not in _STAGES:
        raise UnknownNameError("stage", name, _STAGES)
    _check_item(name, item)
    flow(name=name, validate_parameters=False)(_STAGES[name])(profile, item)


def _check_item(name: str, item: str | None) -> None:
    if name == "bench":  # which does one, or all
        return
    taken = [
        each.name for each in signature(load_stage(name)).parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    if len(taken) > 1 and item is None:
        raise ConfigError(f"{name}: expected the {taken[1]} that it is about as --item, got none")
    if len(taken) == 1 and item is not None:
        raise ConfigError(f"{name}: expected no --item, got {item!r}")
