"""What every stage is given, and how its time is kept."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nf.core.config import Profile, load_profile
from nf.core.errors import ArtifactError
from nf.core.files import close_folder, open_lock, read_notes, write_sealed
from nf.core.paths import Layout

Progress = Callable[[int, int, str], None]
"""Function (steps done, steps in all, what was just done) -> None."""


_ONE_PLACE = ("detectors", "report")
"""Stages that write the same files whatever their item."""


def silent(done: int, total: int, what: str) -> None:
    """The ``Progress`` that shows nothing."""


@dataclass(frozen=True)
class Run:
    """What every stage is given.

    Attributes:
        profile: settings of the profile.
        layout: folders of the profile's artifacts.
        progress: function that long work calls after each step.
    """

    profile: Profile
    layout: Layout
    progress: Progress = silent

    @classmethod
    def open(
        cls,
        profile: str | None = None,
        *,
        params: Path = Path("params.yaml"),
        out: Path = Path("out"),
        progress: Progress = silent,
    ) -> "Run":
        """Read ``params`` and take ``out/<profile>`` as the place of all artifacts.

        Raises:
            ConfigError: the settings cannot be used.
        """
        settings = load_profile(params, profile)
        return cls(settings, Layout(out / settings.name), progress)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Be the only one at work on the stage ``name`` (``zoo``, ``fingerprint@akh``), and write down its seconds.

        Raises:
            ArtifactError: another process is at work on it, or its lock cannot be written.
        """
        stage = name.partition("@")[0]
        name = stage if stage in _ONE_PLACE else name
        with self.lock_stage(name):
            started = time.perf_counter()
            yield
            self.note(self.layout.timings, name, round(time.perf_counter() - started, 1))

    @contextmanager
    def lock_stage(self, name: str) -> Iterator[None]:
        """Be the only one at work on what the stage ``name`` writes; errors as ``stage``."""
        with self._lock(name, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

    def note(self, path: Path, key: str, value: object) -> None:
        """Set ``key`` in the notes at ``path``, a file of this profile; whoever does so at the same time takes turns.

        Raises:
            ArtifactError: the file or its lock cannot be written.
        """
        self.change_note(path, key, lambda _: value)

    def change_note(self, path: Path, key: str, change: Callable[[Any], object]) -> None:
        """Set ``key`` to what ``change`` makes of its value, ``None`` where it has none; otherwise as ``note``."""
        with self._lock(path.stem, fcntl.LOCK_EX):
            notes = read_notes(path)
            write_sealed(path, {**notes, key: change(notes.get(key))})

    def seconds(self) -> dict[str, float]:
        """Seconds of each stage's last run on this machine, as far as known."""
        return read_notes(self.layout.timings)

    @contextmanager
    def _lock(self, name: str, kind: int) -> Iterator[None]:
        close_folder(self.layout.root)  # also where another program, such as DVC, has made it
        with open_lock(self.layout.lock(name)) as lock:
            try:
                fcntl.flock(lock, kind)
            except BlockingIOError:
                raise ArtifactError(
                    f"another run is at work on {name} in {self.layout.root}; wait for it to end, or stop it"
                ) from None
            yield
