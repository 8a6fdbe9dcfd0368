"""What suspects answered: labels always, probabilities where a suspect gives them and a scheme needs them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nf.core.errors import ArtifactError, SuspectError
from nf.core.files import SEAL, sha256_bytes, write_bytes
from nf.core.predictor import OutputKind

_LABELS, _PROBABILITIES = "labels/", "probabilities/"


@dataclass(frozen=True)
class Answers:
    """One suspect's answers to N queries.

    Attributes:
        labels: (N,) int64 class index that the suspect gave each query; -1 for none of the owner's classes.
        probabilities: (N, classes) float32 in [0, 1], or None from a suspect that gives labels only.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, values: NDArray[np.generic], output: OutputKind) -> "Answers":
        """Answers as the suspect gave them, in the form that the rest of the project reads.

        Args:
            values: (N, classes) logits or probabilities, or (N,) labels.
            output: which of the three ``values`` are.
        """
        if output == "labels":
            return cls(values.astype(np.int64))
        scores = values.astype(np.float32)
        return cls(scores.argmax(axis=1).astype(np.int64), _softmax(scores) if output == "logits" else scores)

    def as_probabilities(self, num_classes: int) -> NDArray[np.float32]:
        """(N, num_classes) float32: the probabilities, or the labels as one-hot vectors where there are none.

        A label of -1 becomes zeros.

        Args:
            num_classes: number of classes of the source model.

        Raises:
            SuspectError: the suspect knows another number of classes.
        """
        if self.probabilities is None:
            if self.labels.max(initial=0) >= num_classes:
                raise SuspectError(f"expected labels below {num_classes}, got {self.labels.max()}")
            one_hot = np.eye(num_classes, dtype=np.float32)[self.labels]
            one_hot[self.labels < 0] = 0
            return one_hot
        if self.probabilities.shape[1] != num_classes:
            raise SuspectError(f"expected probabilities of {num_classes} classes, got {self.probabilities.shape[1]}")
        return self.probabilities


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a class that is so far behind gets 0, as it should
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True)
class AnswerTable:
    """The answers of many suspects to one query set.

    Attributes:
        answers: answers of each suspect, by its id in the zoo.
    """

    answers: Mapping[str, Answers]

    def __getitem__(self, suspect: str) -> Answers:
        return self.answers[suspect]

    def save(self, path: Path) -> None:
        """Write ``labels/<suspect>`` and, where there are any, ``probabilities/<suspect>`` as safetensors."""
        tensors: dict[str, NDArray[np.generic]] = {}
        for suspect, given in self.answers.items():
            tensors[_LABELS + suspect] = np.ascontiguousarray(given.labels)
            if given.probabilities is not None:
                tensors[_PROBABILITIES + suspect] = np.ascontiguousarray(given.probabilities)
        write_bytes(path, save(tensors, {SEAL: _digest(tensors)}))

    @classmethod
    def load(cls, path: Path) -> "AnswerTable":
        """Read a table.

        Raises:
            ArtifactError: the file is missing or damaged.
        """
        try:
            data = path.read_bytes()
            tensors = load(data)
            _check_seal(data, tensors)
        except FileNotFoundError:
            raise ArtifactError(
                f"expected the suspects' answers at {path}, found nothing; run `nf score {path.stem}`"
            ) from None
        except (OSError, SafetensorError, ValueError) as error:
            raise ArtifactError(f"{path} is damaged ({error}); run `nf score {path.stem}` again") from error
        suspects = [name.removeprefix(_LABELS) for name in tensors if name.startswith(_LABELS)]
        return cls({name: Answers(tensors[_LABELS + name], tensors.get(_PROBABILITIES + name)) for name in suspects})


def _digest(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    parts = [
        f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes() for name, array in sorted(tensors.items())
    ]
    return sha256_bytes(b"".join(parts))


def _check_seal(data: bytes, tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Check the digest in the file's header; files from before there were digests have none.

    Raises:
        ValueError: it is another.
    """
    size = int.from_bytes(data[:8], "little")
    told = json.loads(data[8 : 8 + size]).get("__metadata__", {}).get(SEAL)
    if told is not None and told != _digest(tensors):
        raise ValueError("its digest does not match")
