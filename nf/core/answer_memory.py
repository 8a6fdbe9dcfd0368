"""Answers of a model that is slow or costly to ask, on disk: no image is sent to it twice."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import ArtifactError
from nf.core.files import make_folder

_TIMEOUT_SECONDS = 60.0
_AT_ONCE = 500  # keys in a query, below SQLite's limit of variables


class AnswerMemory:
    """Scores by image, in a SQLite file that several processes share.

    Args:
        path: the file; made with its folder if missing.
        model: what the answers are of, such as a digest; those of another are not found.
    """

    def __init__(self, path: Path, model: str) -> None:
        self._path = path
        self._model = model
        make_folder(path.parent)
        path.touch(mode=0o600)  # before SQLite makes it, readable by everybody
        with self._open() as store:
            store.execute(
                "create table if not exists answers"
                " (model text, image blob, scores blob, primary key (model, image)) without rowid"
            )

    def find(self, images: list[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The scores that are known, by the digests of the images."""
        found: dict[bytes, NDArray[np.float32]] = {}
        with self._open() as store:
            for start in range(0, len(images), _AT_ONCE):
                some = images[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                rows = store.execute(
                    f"select image, scores from answers where model = ? and image in ({marks})",
                    [self._model, *some],
                )
                found.update((image, np.frombuffer(scores, np.float32)) for image, scores in rows)
        return found

    def add(self, answers: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Keep the scores of each image by its digest."""
        with self._open() as store:
            store.executemany(
                "insert or replace into answers values (?, ?, ?)",
                [(self._model, image, scores.astype(np.float32).tobytes()) for image, scores in answers.items()],
            )

    def __len__(self) -> int:
        """Number of images that the model was asked."""
        with self._open() as store:
            return int(store.execute("select count(*) from answers where model = ?", [self._model]).fetchone()[0])

    def _open(self) -> "_Closing":
        return _Closing(self._path)


class _Closing:
    """A connection that commits and closes: sqlite3's own context manager leaves it open."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._store = sqlite3.connect(self._path, timeout=_TIMEOUT_SECONDS)
            self._store.execute("pragma journal_mode = wal")
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        return self._store

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._store.commit()
        finally:
            self._store.close()
        if isinstance(error, sqlite3.Error):
            raise self._damaged(error) from error

    def _damaged(self, error: sqlite3.Error) -> ArtifactError:
        return ArtifactError(f"{self._path}: expected a file of answers ({error}); delete it, they are asked again")
