"""The query set: images, the label that a stolen model gives each, how answers are scored, and how it was made."""

import logging
import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nf.core.answers import Answers
from nf.core.calibration import Calibration
from nf.core.controls import Controls
from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import is_exposed, read_json, restore, sha256_bytes, take_away, write_bytes, write_sealed
from nf.core.paths import CARD_FILE, QUERIES_FILE
from nf.core.verifier import Verifier

_VERIFIER = "verifier."

_logger = logging.getLogger(__name__)

Measure = Literal["matching rate", "verifier"]


@dataclass(frozen=True)
class QuerySet:
    """What a suspect is asked.

    Attributes:
        images: (N, C, H, W) uint8, as they are sent.
        labels: (N,) int64, the label of the source model and its thieves.
        negative_labels: (N,) int64, the label that unrelated models were trained towards; -1 where the scheme has none.
        card: transcript (scheme, seed, models, parameters, versions, threshold).
        verifier: for schemes whose score is more than the matching rate; needs the suspect's probabilities.
        controls: what a suspect is asked before; sets that were made without have none.
        calibration: how models of known origin answered; sets that were made without know no level of error.

    Raises:
        ValueError: shapes or types do not fit.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    negative_labels: NDArray[np.int64]
    card: dict[str, Any] = field(default_factory=dict)
    verifier: Verifier | None = None
    controls: Controls | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8 or len(self.images) == 0:
            raise ValueError(
                f"images: expected uint8 of shape (N, C, H, W) with N >= 1, got {self.images.dtype} {self.images.shape}"
            )
        for name, labels in (("labels", self.labels), ("negative_labels", self.negative_labels)):
            if labels.shape != (len(self.images),) or labels.dtype != np.int64:
                raise ValueError(
                    f"{name}: expected int64 of shape ({len(self.images)},), got {labels.dtype} {labels.shape}"
                )
        if self.controls is not None and self.controls.images.shape[1:] != self.images.shape[1:]:
            raise ValueError(
                f"controls: expected images of the queries' shape {self.images.shape[1:]}, "
                f"got {self.controls.images.shape[1:]}"
            )
        if self.calibration is not None and self.calibration.full.queries != len(self.images):
            raise ValueError(
                f"calibration: expected a weight for each of {len(self.images)} queries, "
                f"got {self.calibration.full.queries}"
            )
        if self.verifier is not None and self.verifier.inputs % len(self.images):
            raise ValueError(
                f"verifier: expected as many inputs for each of {len(self.images)} queries, got {self.verifier.inputs}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def measure(self) -> Measure:
        """What a score is: the share of queries answered like a thief, or a verifier's probability of "stolen"."""
        return "matching rate" if self.verifier is None else "verifier"

    def score(self, answers: Answers) -> float:
        """How much a suspect that gave ``answers`` looks stolen, in [0, 1]; see ``measure``.

        A verifier is fed one-hot vectors where the suspect gives labels only.

        Raises:
            SuspectError: there is not one answer per query, or the suspect knows other classes than the verifier.
        """
        if len(answers) != len(self):
            raise SuspectError(f"expected answers to {len(self)} queries, got {len(answers)}")
        if self.verifier is None:
            return float((answers.labels == self.labels).mean())
        return float(self.verifier(answers.as_probabilities(self.verifier.inputs // len(self))))

    def sense(self, answers: Answers) -> float:
        """The share of queries, in [0, 1], that were answered with the label of the thieves or of the honest models."""
        expected = (answers.labels == self.labels) | (answers.labels == self.negative_labels)
        return float((expected & (answers.labels >= 0)).mean())

    @property
    def digest(self) -> str:
        """SHA-256 of images, labels and verifier; controls and calibration have digests of their own."""
        parts = [np.ascontiguousarray(a) for a in self._tensors().values()]
        return sha256_bytes(b"".join(str(a.shape).encode() + a.tobytes() for a in parts))

    def _tensors(self) -> dict[str, NDArray[Any]]:
        own: dict[str, NDArray[Any]] = {
            "images": self.images,
            "labels": self.labels,
            "negative_labels": self.negative_labels,
        }
        layers = self.verifier.tensors() if self.verifier else {}
        return own | {_VERIFIER + name: layer for name, layer in layers.items()}

    def save(self, folder: Path) -> None:
        """Write ``queries.safetensors``, ``controls.safetensors``, ``calibration.json``, and last ``card.json``.

        The card gets the digest and the size.
        """
        take_away(folder / CARD_FILE)  # it vouches for the others
        write_bytes(folder / QUERIES_FILE, save({k: np.ascontiguousarray(v) for k, v in self._tensors().items()}))
        added: dict[str, Any] = {"digest": self.digest, "queries": len(self)}
        if self.controls is not None:
            self.controls.save(folder)
            added["controls"] = self.controls.card
        if self.calibration is not None:
            self.calibration.save(folder)
            added["calibration"] = self.calibration.digest
        write_sealed(folder / CARD_FILE, {**self.card, **added})

    @classmethod
    def load(cls, folder: Path) -> "QuerySet":
        """Read a query set and check it against its card; one that others can read is warned of.

        Raises:
            ArtifactError: a file is missing or damaged, or the bytes do not match the digest in the card.
        """
        path = folder / QUERIES_FILE
        try:
            found = (folder / CARD_FILE).is_file()
        except OSError as error:
            raise ArtifactError(
                f"expected the folder of a query set, cannot read {folder}: {error.strerror}"
            ) from error
        if not found:
            raise ArtifactError(
                f"expected the folder of a query set, with {CARD_FILE} and {QUERIES_FILE}, got {folder}; "
                "make one with `nf fingerprint`"
            )
        _warn_if_exposed(path)
        card = read_json(folder / CARD_FILE, advice=f"{restore(folder)} or make it again")
        controls = Controls.load(folder, card["controls"]) if "controls" in card else None
        calibration = Calibration.load(folder, card["calibration"]) if "calibration" in card else None
        try:
            tensors = load(path.read_bytes())
            layers = {k.removeprefix(_VERIFIER): v for k, v in tensors.items() if k.startswith(_VERIFIER)}
            verifier = Verifier.from_tensors(layers) if layers else None
            images, labels, negative_labels = (tensors[name] for name in ("images", "labels", "negative_labels"))
            queries = cls(images, labels, negative_labels, card, verifier, controls, calibration)
        except FileNotFoundError:
            raise ArtifactError(
                f"expected a query set at {path}, found nothing; make one with `nf fingerprint`"
            ) from None
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ArtifactError(f"{path} is damaged ({error}); {restore(folder)} or make it again") from error
        if queries.digest != card.get("digest"):
            raise ArtifactError(f"{path} does not match the digest in its card; {restore(folder)} or make it again")
        return queries


def _warn_if_exposed(path: Path) -> None:
    """Of folders that others wrote, as ``dvc pull`` does, the modes are theirs."""
    with suppress(OSError):  # told where it is read
        if is_exposed(path):
            _logger.warning(
                "%s: others on this machine can read this query set, which is worth nothing once a thief has it; "
                "`chmod -R go= %s`",
                path,
                shlex.quote(str(path.parent)),
            )
