"""``reproduce``: the whole pipeline as one flow. DVC says what is out of date; stages that need each other wait.

Each DVC stage in it reports as a flow of its own.
"""

import subprocess
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from queue import SimpleQueue

from flows.environment import ROOT, configure

configure()

import click  # noqa: E402 - the environment is read at import
from prefect import flow  # noqa: E402
from prefect.futures import PrefectFuture  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from flows.dvc import stale_stages, start_dvc  # noqa: E402
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
    workers = load_profile(ROOT / "params.yaml").execution.workers
    failed = _run_side_by_side(stale_stages(targets or []), workers)
    if failed:
        raise NFError(f"expected all stages to succeed, {', '.join(failed)} did not; the lines of each say why")


def _run_side_by_side(awaited: Mapping[str, Sequence[str]], workers: int) -> list[str]:
    """Run each stage once those that it awaits are done; returns the names of those that failed.

    After a failure those under way are finished and no other is begun. If this process is told to end, they end, too.
    """
    running: set[subprocess.Popen[str]] = set()

    def stage(name: str) -> None:
        _reproduce_stage(name, running)

    task = make_task(stage, "stage", task_run_name="{name}")

    @flow(name="stages", task_runner=ThreadPoolTaskRunner(max_workers=workers))  # type: ignore[arg-type]
    def stages() -> list[str]:
        finished: SimpleQueue[tuple[str, PrefectFuture[None]]] = SimpleQueue()
        order = TopologicalSorter(awaited)
        order.prepare()
        failed: list[str] = []
        under_way = 0
        try:
            while order.is_active() and not (failed and under_way == 0):
                for name in () if failed else order.get_ready():
                    under_way += 1
                    task.submit(name).add_done_callback(lambda future, name=name: finished.put((name, future)))
                name, future = finished.get()
                under_way -= 1
                order.done(name)
                future.wait()  # what the task came to; the server may not know yet
                if not future.state.is_completed():
                    failed.append(name)
        except BaseException:  # SIGTERM and Ctrl-C are none of Exception
            for process in running:
                process.terminate()
            raise
        return failed

    return stages()


def _reproduce_stage(name: str, running: "set[subprocess.Popen[str]]") -> None:
    """Run one stage and show its lines as they come; while it runs, its process is in ``running``.

    Raises:
        NFError: it failed.
    """
    with start_dvc("--wait-for-lock", "repro", "--single-item", name, stdout=subprocess.PIPE) as process:
        running.add(process)
        for line in process.stdout or ():
            click.echo(line, nl=False)
    running.discard(process)
    if process.returncode:
        raise NFError(f"{name}: expected it to succeed, it ended with status {process.returncode}")
