"""A discrete-event simulation: tasks that wait for one another, one dispatcher, and a number of equal workers."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """One task: the ``seconds`` that it keeps a worker busy, and the task that has to end before it, if any."""

    seconds: float
    after: str | None = None


def makespan(tasks: Mapping[str, Work], workers: int, *, dispatch: float = 0.0, overhead: float = 0.0) -> float:
    """Seconds until all ``tasks`` are done.

    A task that is ready goes to a free worker; of several, the one that is listed first. No task is taken back.

    Args:
        tasks: by name; a task is listed after the one that it waits for.
        workers: how many, at least 1.
        dispatch: seconds for which the one dispatcher is busy with each task, one after another.
        overhead: seconds that each task costs its worker on top.

    Raises:
        ValueError: there are no workers, or a task waits for one that is not listed before it.
    """
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    order = {name: number for number, name in enumerate(tasks)}
    children: dict[str, list[str]] = {name: [] for name in tasks}
    ready: list[tuple[int, str]] = []
    for name, work in tasks.items():
        if work.after is None:
            ready.append((order[name], name))
        elif order.get(work.after, len(order)) >= order[name]:
            raise ValueError(f"{name!r}: expected {work.after!r} before it, which it waits for")
        else:
            children[work.after].append(name)
    now = dispatched = 0.0
    running: list[tuple[float, str]] = []
    while ready or running:
        while ready and len(running) < workers:
            name = heapq.heappop(ready)[1]
            dispatched = max(now, dispatched) + dispatch
            heapq.heappush(running, (dispatched + overhead + tasks[name].seconds, name))
        now, ended = heapq.heappop(running)
        for child in children[ended]:
            heapq.heappush(ready, (order[child], child))
    return now


def critical_path(tasks: Mapping[str, Work]) -> float:
    """Seconds of the longest chain of tasks that wait for one another: no number of workers is faster."""
    ends: dict[str, float] = {}
    for name, work in tasks.items():
        ends[name] = work.seconds + (ends[work.after] if work.after is not None else 0.0)
    return max(ends.values(), default=0.0)
