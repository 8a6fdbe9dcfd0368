"""The observations of a watched suspect over time, and which of them are news."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import canonical_json, write_text
from nf.core.sections import parse_section


@dataclass(frozen=True)
class Observation:
    """One attempt to verify a suspect: a verdict, or the reason why there is none.

    Attributes:
        at: time of the attempt, in ISO 8601 with offset.
        query_set: digest of the query set that the suspect was sent.
        score: score of the suspect in [0, 1], or ``None`` without a verdict.
        threshold: threshold of the verdict in [0, 1], or ``None`` without a verdict.
        stolen: whether the suspect was called stolen, or ``None`` without a verdict.
        one_hot: whether a verifier that takes probabilities was given labels instead.
        error: reason why the suspect gave no answer, or ``None`` with a verdict.
    """

    at: str
    query_set: str
    score: float | None = None
    threshold: float | None = None
    stolen: bool | None = None
    one_hot: bool = False
    error: str | None = None

    def __post_init__(self) -> None:
        if (self.error is None) != (None not in (self.score, self.threshold, self.stolen)):
            raise ValueError(f"expected a score, a threshold and a verdict or an error, got {self}")


@dataclass(frozen=True)
class Change:
    """A verdict that differs from the one that was last announced.

    Attributes:
        suspect: name of the suspect.
        stolen: whether the suspect is called stolen now.
        observation: observation that the verdict rests on.
    """

    suspect: str
    stolen: bool
    observation: Observation

    def to_json(self) -> dict[str, Any]:
        """Plain values for a message: ``suspect``, ``verdict``, ``previous`` and the values of the observation."""
        words = ("not stolen", "stolen")
        observation = self.observation
        return {
            "suspect": self.suspect,
            "verdict": words[self.stolen],
            "previous": words[not self.stolen],
            "score": observation.score,
            "threshold": observation.threshold,
            "query_set": observation.query_set,
            "at": observation.at,
        }


def read_history(path: Path) -> tuple[Observation, ...]:
    """Observations from a file of one JSON object a line, the oldest first; none where there is no file.

    Raises:
        ArtifactError: the file is damaged.
    """
    try:
        lines = path.read_text().splitlines() if path.exists() else []
        return tuple(parse_section(Observation, json.loads(line), "observation") for line in lines)
    except (ConfigError, ValueError) as error:
        raise ArtifactError(f"{path}: expected one observation a line: {error}; restore it or move it away") from error


def append_history(path: Path, observation: Observation) -> None:
    """Add a line to the history at ``path``.

    Raises:
        ArtifactError: the file is damaged or cannot be written.
    """
    lines = [canonical_json(asdict(known)) for known in (*read_history(path), observation)]
    write_text(path, "\n".join(lines) + "\n")


def find_changes(histories: Mapping[str, tuple[Observation, ...]], announced: Mapping[str, bool]) -> Iterator[Change]:
    """Find the verdicts that are to be announced.

    A suspect counts as honest until the contrary is announced, and an attempt without a verdict changes nothing.

    Args:
        histories: observations of each suspect, the oldest first, by the suspect's name.
        announced: whether each suspect was called stolen when last announced, by the suspect's name.
    """
    for suspect, history in histories.items():
        verdicts = [observation for observation in history if observation.stolen is not None]
        if verdicts and bool(verdicts[-1].stolen) != announced.get(suspect, False):
            yield Change(suspect, bool(verdicts[-1].stolen), verdicts[-1])
