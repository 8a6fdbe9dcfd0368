"""``reproduce``: the whole pipeline as one flow. DVC says what is out of date; stages that need each other wait.

Each DVC stage in it reports as a flow of its own.
"""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from graphlib import TopologicalSorter
from multiprocessing import connection
from queue import SimpleQueue

from flows.environment import configure

configure()

from prefect import flow  # noqa: E402 - the environment is read at import
from prefect.futures import PrefectFuture  # noqa: E402
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from flows.board import Board  # noqa: E402
from flows.dvc import check_stages, checked_profile, stale_stages, start_dvc  # noqa: E402
from flows.tasks import make_task  # noqa: E402
from nf.core.errors import NFError  # noqa: E402

_POLL_SECONDS = 0.25
_LEAVE_SECONDS = 25.0
"""How long a process that was told to end may take: Prefect waits longer for a server that is busy."""


@flow(name="reproduce")
def reproduce(targets: list[str] | None = None, stale: dict[str, list[str]] | None = None) -> None:
    """Bring ``targets``, stages of ``dvc.yaml``, and what they need up to date; without targets everything.

    As many stages run side by side as the profile has workers.

    Args:
        targets: names as ``dvc repro`` takes them.
        stale: what ``flows.dvc.stale_stages`` says of them, if the caller has asked: it takes seconds.

    Raises:
        ConfigError: the profile has not what a stage is about, or, without targets, not all that the lists of
            ``params.yaml`` name.
        NFError: a stage failed; its own lines say why.
    """
    profile = checked_profile(targets or ())
    awaited = stale_stages(targets or ()) if stale is None else stale
    check_stages(profile, awaited)
    board = Board(profile, awaited, profile.execution.workers)
    try:
        failed = _run_side_by_side(awaited, profile.execution.workers, board)
    finally:
        board.close()
    if failed:
        raise NFError(f"expected all stages to succeed, {', '.join(failed)} did not; the lines of each say why")


class _Processes:
    """The processes of stages under way, each the leader of a group of all that it starts."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    def add(self, process: "subprocess.Popen[str]") -> None:
        """Count ``process`` among them; if all have been told to end, so is this one."""
        self._running.add(process)
        if self._ended:
            _signal_group(process, signal.SIGTERM)

    def discard(self, process: "subprocess.Popen[str]") -> None:
        """Count ``process`` no longer."""
        self._running.discard(process)

    def end(self) -> None:
        """Tell all of them to end, and those that start later."""
        self._ended = True
        for process in self._running.copy():
            _signal_group(process, signal.SIGTERM)

    def leave_within(self, seconds: float) -> None:
        """End this process after ``seconds``, and them with it, whatever it waits for."""

        def leave() -> None:
            for process in self._running.copy():
                _signal_group(process, signal.SIGKILL)
            os._exit(128 + signal.SIGTERM)  # as a shell says it

        timer = threading.Timer(seconds, leave)
        timer.daemon = True
        timer.start()


def _signal_group(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Send a signal to ``process`` and all that it started: a stage that just begins does not yet die with DVC."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _run_side_by_side(awaited: Mapping[str, Sequence[str]], workers: int, board: Board) -> list[str]:
    """Run each stage once those that it awaits are done; returns the names of those that failed.

    After a failure those under way are finished and no other is begun. If this process is told to end, they end, too.
    """
    processes = _Processes()

    def stage(name: str) -> None:
        _reproduce_stage(name, processes, board)

    task = make_task(stage, "stage", task_run_name="{name}")

    @flow(name="stages", task_runner=ThreadPoolTaskRunner(max_workers=workers))  # type: ignore[arg-type]
    def stages() -> list[str]:
        try:
            return _in_order(awaited, workers, task.submit)
        except BaseException as error:  # SIGTERM and Ctrl-C are no Exception
            processes.end()  # here, as this flow waits for its tasks before it ends
            if not isinstance(error, Exception):
                processes.leave_within(_LEAVE_SECONDS)
            raise

    return stages()


def _in_order(
    awaited: Mapping[str, Sequence[str]], workers: int, submit: Callable[[str], PrefectFuture[None]]
) -> list[str]:
    """Submit each stage once those that it awaits are done, until one fails; returns the names of those that failed.

    No more at once than there are workers: what a task runner has in its queue could not be kept from beginning.
    """
    finished: SimpleQueue[tuple[str, PrefectFuture[None]]] = SimpleQueue()

    def ended(name: str, future: PrefectFuture[None]) -> None:
        finished.put((name, future))

    order = TopologicalSorter(awaited)
    order.prepare()
    ready: deque[str] = deque()
    failed: list[str] = []
    under_way = 0
    while True:
        ready.extend(order.get_ready())
        while ready and under_way < workers and not failed:
            name = ready.popleft()
            under_way += 1
            submit(name).add_done_callback(partial(ended, name))
        if not under_way:
            return failed
        name, future = finished.get()
        under_way -= 1
        order.done(name)
        future.wait()  # what the task came to; the server may not know yet
        if not future.state.is_completed():
            failed.append(name)


def _reproduce_stage(name: str, processes: _Processes, board: Board) -> None:
    """Run one stage as one of ``processes`` and tell ``board`` of its lines as they come.

    Raises:
        NFError: it failed.
    """
    board.begin(name)
    with start_dvc("repro", "--single-item", name, stdout=subprocess.PIPE) as process:
        processes.add(process)
        for line in _lines(process):
            board.line(name, line.decode(errors="replace"))
    processes.discard(process)
    board.end(name, failed=process.returncode != 0)
    if process.returncode:
        raise NFError(f"{name}: expected it to succeed, it ended with status {process.returncode}")


def _lines(process: "subprocess.Popen[str]") -> Iterator[bytes]:
    """Lines of ``process`` as they come, until it ends: what it leaves behind may hold its output open for long."""
    rest = b""
    while process.stdout:
        ended = process.poll() is not None  # asked first: what it wrote before it ended is there
        if connection.wait([process.stdout.fileno()], 0 if ended else _POLL_SECONDS):
            block = os.read(process.stdout.fileno(), 1 << 16)
            if not block:
                break
            *lines, rest = (rest + block).split(b"\n")
            yield from (line + b"\n" for line in lines)
        elif ended:
            break
    if rest:
        yield rest
