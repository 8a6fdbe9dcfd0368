"""The observations of a watched suspect over time: one attempt to verify it a line."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nf.core.calibration import Levels
from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import canonical_json, check_seal, sealed, write_text
from nf.core.sections import parse_section
from nf.verdict import OUTCOMES, Outcome

FORMER_OUTCOMES: Mapping[bool, Outcome] = {True: OUTCOMES[1], False: OUTCOMES[2]}
"""What the words of verdicts at a bare threshold, which knew no level, amount to: ``stolen`` and ``not stolen``."""


@dataclass(frozen=True)
class Observation:
    """One attempt to verify a suspect: a verdict, or the reason why there is none.

    Attributes:
        at: time of the attempt, in ISO 8601 with offset.
        query_set: digest of the query set that the suspect was sent.
        score: score of the suspect in [0, 1], or ``None`` without a verdict.
        threshold: threshold of the verdict in [0, 1], or ``None`` without a verdict.
        outcome: what this verdict alone shows, or ``None`` without a verdict.
        calibrated: calibrated score in [0, 1], or ``None`` where the query set has no calibration.
        independent: p-value in (0, 1] against independent models, or ``None`` where none is known.
        trained: p-value in (0, 1] against models that learned from the owner's data, or ``None`` where none is known.
        levels: what the p-values are held against, or ``None`` where the query set has no calibration.
        one_hot: whether a verifier that takes probabilities was given labels instead.
        error: reason why the suspect gave no answer, or ``None`` with a verdict.
    """

    at: str
    query_set: str
    score: float | None = None
    threshold: float | None = None
    outcome: Outcome | None = None
    calibrated: float | None = None
    independent: float | None = None
    trained: float | None = None
    levels: Levels | None = None
    one_hot: bool = False
    error: str | None = None

    def __post_init__(self) -> None:
        if (self.error is None) != (None not in (self.score, self.threshold, self.outcome)):
            raise ValueError(f"expected a score, a threshold and an outcome or an error, got {self}")


def read_history(path: Path) -> tuple[Observation, ...]:
    """Observations from a file of one JSON object a line, the oldest first; none where there is no file.

    Lines from before verdicts had levels are read in the words of ``FORMER_OUTCOMES``.

    Raises:
        ArtifactError: the file is damaged.
    """
    try:
        # An empty file is not of our making; splitting it gives one line that is no JSON.
        lines = path.read_bytes().decode().rstrip("\n").split("\n") if path.exists() else []
        return tuple(parse_section(Observation, _with_outcome(_unsealed(line, path)), "observation") for line in lines)
    except (ArtifactError, ConfigError, OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: expected one observation a line: {error}; restore it or move it away") from error


def _unsealed(line: str, path: Path) -> Any:
    """The observation on a line, whose digest is checked; lines from before there were digests have none."""
    value = json.loads(line)
    return check_seal(value, path) if isinstance(value, dict) else value


def _with_outcome(line: Any) -> Any:
    """A line of ``stolen`` as one of ``outcome``; whatever is no such line, as it is."""
    if not isinstance(line, dict) or not isinstance(line.get("stolen", ""), bool | None):
        return line
    stolen = line["stolen"]
    kept = {name: value for name, value in line.items() if name != "stolen"}
    return {**kept, "outcome": None if stolen is None else FORMER_OUTCOMES[stolen]}


def append_history(path: Path, observation: Observation) -> None:
    """Add a line to the history at ``path``.

    Raises:
        ArtifactError: the file is damaged or cannot be written.
    """
    lines = [canonical_json(sealed(asdict(known))) for known in (*read_history(path), observation)]
    write_text(path, "\n".join(lines) + "\n")
