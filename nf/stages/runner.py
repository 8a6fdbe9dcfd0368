"""Making the parts of a graph within a deadline.

What a GPU computes is made one part after another. What only processors compute, exporting and asking suspects, is made
beside it in another process: the GPU neither stands idle meanwhile nor waits for Python.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from nf.core.errors import ArtifactError, NFError
from nf.core.files import read_notes, sha256_file, sha256_json
from nf.core.processes import worker_pool
from nf.stages.costs import WHOLE, CostLog
from nf.stages.deadline import Deadline, OutOfTimeError
from nf.stages.graph import Part
from nf.stages.run import Run

OUT_OF_TIME = "out of time"
"""Why a part is missing that the same call will make if it is given more time."""

_SETTINGS_FILE = "made-with.json"


def make_parts(
    run: Run, todo: Sequence[Part], deadline: Deadline, costs: CostLog, *, begun: Callable[[str], None]
) -> dict[str, str]:
    """Make what is not there of ``todo``, in its order; what fails holds up those alone that need it.

    An error of another kind than ``NFError``, or Ctrl-C, is raised; no further part is begun then.

    Args:
        run: the run that the parts belong to.
        todo: each after those that it needs.
        deadline: after which no part is begun.
        costs: gets the seconds of each.
        begun: called with the name of each part that is not there, as it begins.

    Returns:
        By the name of each part that is missing the reason, ``OUT_OF_TIME`` or what to put right.
    """
    reasons: dict[str, Future[str | None]] = {}
    with closing(_Aside()) as aside, ThreadPoolExecutor(1) as beside, costs.entry(WHOLE), deadline.ended_by_errors():
        attempt = _Attempt(run, deadline, costs, aside, _KeptSettings(run), begun)

        def outcome(part: Part) -> str | None:
            with deadline.ended_by_errors():
                return attempt(part, {name: reasons[name].result() for name in part.needs})

        for part in todo:
            reasons[part.name] = beside.submit(outcome, part) if part.beside else _finished(outcome(part))
        found = {name: reason.result() for name, reason in reasons.items()}
    return {name: reason for name, reason in found.items() if reason}


def _finished(reason: str | None) -> Future[str | None]:
    future: Future[str | None] = Future()
    future.set_result(reason)
    return future


class _Aside:
    """One other process at a time. It makes what no GPU computes."""

    def __init__(self) -> None:
        self._pool = worker_pool(1, torch.set_num_threads, 1)

    def make(self, part: Part) -> None:
        """Make ``part`` in it; after its death the next part has a new one.

        Raises:
            BrokenProcessPool: it died.
        """
        try:
            self._pool.submit(part.make).result()
        except BrokenProcessPool:
            self._pool = worker_pool(1, torch.set_num_threads, 1)
            raise

    def close(self) -> None:
        """End it."""
        self._pool.shutdown()


@dataclass(frozen=True)
class _KeptSettings:
    """With which settings each part was made, and what it wrote then, in a file beside the artifacts.

    Others make parts, too, such as ``nf evaluate`` or DVC, and note nothing: what they wrote is of unknown settings.
    """

    run: Run

    def fit(self, part: Part) -> bool:
        """Whether what is there of ``part`` was made with its settings."""
        if not part.settings:
            return True
        noted = read_notes(self._path).get(part.name)
        kept = noted if isinstance(noted, dict) else {"settings": noted}  # as it was written before it named the file
        wrote = kept.get("wrote")
        return kept.get("settings") == _hash_of(part) and wrote in (None, _written(part))

    def note(self, part: Part) -> None:
        """Note that it was, where it has any."""
        if part.settings:
            self.run.note(self._path, part.name, {"settings": _hash_of(part), "wrote": _written(part)})

    @property
    def _path(self) -> Path:
        return self.run.layout.root / _SETTINGS_FILE


def _hash_of(part: Part) -> str:
    return sha256_json(dict(part.settings))


def _written(part: Part) -> str | None:
    """SHA-256 of the file that ``part`` writes; ``None`` of a variant, whose file is there once it has been asked."""
    return sha256_file(part.writes) if part.writes.exists() else None


@dataclass(frozen=True)
class _Attempt:
    """Makes one part unless it is there; returns what kept it from being made."""

    run: Run
    deadline: Deadline
    costs: CostLog
    aside: _Aside
    kept: _KeptSettings
    begun: Callable[[str], None]

    def __call__(self, part: Part, needed: Mapping[str, str | None]) -> str | None:
        """Make ``part``, of whose needs some may be missing for the reasons in ``needed``."""
        missing = {name: reason for name, reason in needed.items() if reason}
        held_up = {name: reason for name, reason in missing.items() if name not in part.partly}
        if held_up:
            return _awaited(held_up)
        try:
            if part.is_there() and self.kept.fit(part):
                return None
            if self.deadline.left() <= 0:
                return OUT_OF_TIME
            self._make(part)
        except OutOfTimeError:
            return OUT_OF_TIME
        except BrokenProcessPool:
            return "the process in which it was made died; it may have been short of memory"
        except ArtifactError as error:
            return _awaited(missing) if missing else str(error)
        except NFError as error:
            return str(error)
        return None

    def _make(self, part: Part) -> None:
        self.begun(part.name)
        with self.costs.entry(part.name), self.run.stage(part.name):
            self.aside.make(part) if part.beside else part.make()
        self.kept.note(part)


def _awaited(missing: Mapping[str, str]) -> str:
    """Why a part cannot be made of whose needs some are ``missing``: more time helps only if it is all they lack."""
    failed = [name for name, reason in missing.items() if reason != OUT_OF_TIME]
    return f"needs {failed[0]}, which is missing" if failed else OUT_OF_TIME
