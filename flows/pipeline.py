"""``reproduce``: the whole pipeline as one flow. DVC says what is out of date; stages that need each other wait.

Each DVC stage in it reports as a flow of its own.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from queue import SimpleQueue

from flows.environment import ROOT, configure

configure()

import click  # noqa: E402 - the environment is read at import
from prefect import flow  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from flows.server import die_with_parent  # noqa: E402
from flows.tasks import make_task  # noqa: E402
from nf.core.config import load_profile  # noqa: E402
from nf.core.errors import NFError  # noqa: E402


@flow(name="reproduce")
def reproduce(targets: list[str] | None = None) -> None:
    """Bring ``targets``, stages of ``dvc.yaml``, and what they need up to date; without targets everything.

    As many stages run side by side as the profile has workers.

    Raises:
        NFError: a stage failed; its own lines say why.
    """
    stages = stale_stages(targets or [])
    if not stages:
        click.echo("Data and pipelines are up to date.")
        return
    workers = load_profile(ROOT / "params.yaml").execution.workers
    failed = _run_side_by_side(stages, workers)
    if failed:
        raise NFError(f"expected all stages to succeed, {', '.join(failed)} did not; the lines of each say why")


def stale_stages(targets: Sequence[str]) -> dict[str, list[str]]:
    """What has to run again for ``targets``: each stage that changed, or comes after one that did, and what it awaits.

    Raises:
        NFError: DVC knows no such target, or cannot read its own files.
    """
    from dvc.exceptions import DvcException  # takes a second to import
    from dvc.repo import Repo

    try:
        with Repo(str(ROOT)) as repo:
            graph = repo.index.graph  # edges lead from a stage to what it needs
            wanted = [stage for target in targets or ("",) for stage in repo.stage.collect(target, with_deps=True)]
            needs = {
                stage.addressing: [needed.addressing for needed in graph.successors(stage)]
                for stage in wanted
                if stage.cmd
            }
            changed = set(repo.status(targets=list(targets) or None, with_deps=bool(targets)))
    except DvcException as error:
        raise NFError(f"dvc: {error}") from error
    for name in TopologicalSorter(needs).static_order():
        if changed.intersection(needs.get(name, ())):
            changed.add(name)
    return {name: [other for other in others if other in changed] for name, others in needs.items() if name in changed}


def _run_side_by_side(awaited: Mapping[str, Sequence[str]], workers: int) -> list[str]:
    """Run each stage once those that it awaits are done; returns the names of those that failed.

    After a failure those under way are finished and no other is begun.
    """
    task = make_task(_reproduce_stage, "stage", task_run_name="{name}")

    @flow(name="stages", task_runner=ThreadPoolTaskRunner(max_workers=workers))  # type: ignore[arg-type]
    def stages() -> list[str]:
        finished: SimpleQueue[tuple[str, bool]] = SimpleQueue()
        order = TopologicalSorter(awaited)
        order.prepare()
        failed: list[str] = []
        under_way = 0
        while order.is_active() and not (failed and under_way == 0):
            for name in () if failed else order.get_ready():
                under_way += 1
                task.submit(name).add_done_callback(
                    lambda future, name=name: finished.put((name, future.state.is_completed()))
                )
            name, succeeded = finished.get()
            under_way -= 1
            order.done(name)
            if not succeeded:
                failed.append(name)
        return failed

    return stages()


def _reproduce_stage(name: str) -> None:
    """Run one stage and show its lines as they come.

    Raises:
        NFError: it failed.
    """
    with _start_dvc("--wait-for-lock", "repro", "--single-item", name, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            click.echo(line, nl=False)
    if process.returncode:
        raise NFError(f"{name}: expected it to succeed, it ended with status {process.returncode}")


def dvc(*arguments: str) -> int:
    """Run a DVC command in the project and return its exit status."""
    with _start_dvc(*arguments) as process:
        return process.wait()


def _start_dvc(*arguments: str, stdout: int | None = None) -> "subprocess.Popen[str]":
    # DVC calls `python`: it must be this one, also where the environment is not activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # A stage is a run of its own: it must not take itself for the one that Prefect started here.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=ROOT,
        env={**inherited, "PATH": path},
        stdout=stdout,
        stderr=None if stdout is None else subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent,
    )
