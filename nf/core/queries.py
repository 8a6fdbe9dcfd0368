"""The query set: images, the label that a stolen model gives each, and the card that says how it was made."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nf.core.errors import ArtifactError
from nf.core.files import read_json, sha256_bytes, write_bytes, write_json

QUERIES_FILE = "queries.safetensors"
CARD_FILE = "card.json"
SHEET_FILE = "sheet.png"


@dataclass(frozen=True)
class QuerySet:
    """What a suspect is asked.

    Attributes:
        images: (N, C, H, W) uint8, as they are sent.
        labels: (N,) int64, the label of the source model and its thieves.
        negative_labels: (N,) int64, the label that unrelated models were trained towards; -1 where the scheme has none.
        card: transcript (scheme, seed, models, parameters, versions, threshold).

    Raises:
        ValueError: shapes or types do not fit.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    negative_labels: NDArray[np.int64]
    card: dict[str, Any] = field(default_factory=dict)

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

    def __len__(self) -> int:
        return len(self.images)

    @property
    def digest(self) -> str:
        """SHA-256 of images and labels: what a transcript commits to."""
        parts = (np.ascontiguousarray(a) for a in (self.images, self.labels, self.negative_labels))
        return sha256_bytes(b"".join(str(a.shape).encode() + a.tobytes() for a in parts))

    def save(self, folder: Path) -> None:
        """Write ``queries.safetensors`` and ``card.json`` into ``folder``; the card gets the digest and the size."""
        tensors = {"images": self.images, "labels": self.labels, "negative_labels": self.negative_labels}
        write_bytes(folder / QUERIES_FILE, save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))
        write_json(folder / CARD_FILE, {**self.card, "digest": self.digest, "queries": len(self)})

    @classmethod
    def load(cls, folder: Path) -> "QuerySet":
        """Read a query set and check it against its card.

        Raises:
            ArtifactError: a file is missing or damaged, or the bytes do not match the digest in the card.
        """
        path = folder / QUERIES_FILE
        card = read_json(folder / CARD_FILE)
        try:
            tensors = load(path.read_bytes())
            queries = cls(tensors["images"], tensors["labels"], tensors["negative_labels"], card)
        except FileNotFoundError:
            raise ArtifactError(
                f"expected a query set at {path}, found nothing; make one with `nf fingerprint`"
            ) from None
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ArtifactError(
                f"{path} is damaged ({error}); restore it with `dvc checkout` or make it again"
            ) from error
        if queries.digest != card.get("digest"):
            raise ArtifactError(f"{path} does not match the digest in its card; restore both with `dvc checkout`")
        return queries
