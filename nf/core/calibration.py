"""What a query set knows of models whose origin is known: the calibrated score, and how each of them scored.

Plain numbers, so that a verdict needs no torch. They are made in ``nf.calibration`` and judged in ``nf.verdict``.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import read_json, restore, sha256_json, write_sealed
from nf.core.paths import CALIBRATION_FILE
from nf.core.sections import parse_section

Group = Literal["thief", "independent", "twin"]
"""What a calibration model is: made from the source; never near it; or trained on the owner's data and no more."""

FEWEST = 5
"""Thieves, and lineages of independent models, that can be held out and still leave some to learn from."""


@dataclass(frozen=True)
class CalibrationModel:
    """A model that took no part in making the queries.

    Attributes:
        id: name of the model in the zoo.
        group: what it is to the source.
        kind: how it was made: ``train``, or the attack.
        lineage: name of the model from scratch that it descends from.
    """

    id: str
    group: Group
    kind: str
    lineage: str


@dataclass(frozen=True)
class Look:
    """The calibrated score of the first queries of a set.

    Attributes:
        queries: number of queries that it reads.
        weights: one for each of these queries, added up over those that were answered like a thief.
        bias: what is added to that.
        held_out: score of each calibration model, in log odds, by queries and weights that did not know its lineage.
    """

    queries: int
    weights: tuple[float, ...]
    bias: float
    held_out: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != self.queries:
            raise ValueError(f"weights: expected one for each of {self.queries} queries, got {len(self.weights)}")

    def log_odds(self, matches: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The score of suspects, in log odds of "stolen".

        Args:
            matches: (..., N) whether each query was answered like a thief, with N >= ``queries``.

        Returns:
            (...) float64.
        """
        score: NDArray[np.float64] = matches[..., : self.queries] @ np.array(self.weights) + self.bias
        return score


@dataclass(frozen=True)
class Levels:
    """The largest chance of accusing an honest model that the owner accepts, in (0, 1).

    Attributes:
        independent: level over models that have nothing to do with the owner.
        trained: level over models that learned from the owner's data, but not from the owner's model.
    """

    independent: float = 0.01
    trained: float = 0.05

    def __post_init__(self) -> None:
        for name, level in asdict(self).items():
            if not 0 < level < 1:
                raise ValueError(f"{name}: expected more than 0 and less than 1, got {level}")


@dataclass(frozen=True)
class Calibration:
    """How the calibration models answered, and what follows for a suspect.

    Attributes:
        models: the calibration models.
        looks: the score of the first few queries, of more, and last of all.
        levels: chances of a wrong accusation that were chosen beforehand.
        candidates: number of images that the queries were chosen from.
        folds: number of parts that the lineages were dealt into; each part was scored by what the others taught.

    Raises:
        ValueError: looks do not grow, or have not one held-out score for each model.
    """

    models: tuple[CalibrationModel, ...]
    looks: tuple[Look, ...]
    levels: Levels
    candidates: int
    folds: int

    def __post_init__(self) -> None:
        sizes = [look.queries for look in self.looks]
        if not sizes or sizes != sorted(set(sizes)):
            raise ValueError(f"looks: expected at least one, each of more queries than the last, got {sizes}")
        if any(len(look.held_out) != len(self.models) for look in self.looks):
            raise ValueError(f"looks: expected a held-out score for each of {len(self.models)} models")

    @property
    def full(self) -> Look:
        """The score of all queries."""
        return self.looks[-1]

    def select(self, group: Group) -> NDArray[np.int64]:
        """Places of the models of ``group``."""
        return np.array([place for place, model in enumerate(self.models) if model.group == group], dtype=np.int64)

    @property
    def digest(self) -> str:
        """SHA-256 of everything in it."""
        return sha256_json(asdict(self))

    def save(self, folder: Path) -> None:
        """Write ``calibration.json``."""
        write_sealed(folder / CALIBRATION_FILE, asdict(self))

    @classmethod
    def load(cls, folder: Path, digest: str) -> "Calibration":
        """Read the calibration of the query set in ``folder``.

        Args:
            folder: folder of the query set.
            digest: what the set's card says of it.

        Raises:
            ArtifactError: it is missing, damaged or another one.
        """
        path = folder / CALIBRATION_FILE
        record = read_json(path, advice=f"{restore(folder)} or make it again")
        try:
            found = parse_section(cls, record, str(path))
        except ConfigError as error:
            raise ArtifactError(f"{path} is damaged ({error}); {restore(folder)} or make it again") from error
        if found.digest != digest:
            raise ArtifactError(f"{path} does not match the digest in the card; {restore(folder)} or make it again")
        return found


def probability(log_odds: float | NDArray[np.float64]) -> Any:
    """The calibrated score in [0, 1] of log odds."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(log_odds, np.float64)))
