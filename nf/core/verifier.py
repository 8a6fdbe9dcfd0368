"""A small network that tells from a suspect's probabilities whether it was stolen, for schemes that learn their score.

Plain numpy, so that a verdict needs no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
LEAKY_SLOPE = 0.01


@dataclass(frozen=True)
class Verifier:
    """Linear layers with leaky rectifiers between them, and a softmax over (independent, stolen) at the end.

    Attributes:
        weights: one (out, in) float32 matrix per layer; the first layer takes all probabilities in a row, the last
            layer has two outputs.
        biases: one (out,) float32 vector per layer.

    Raises:
        ValueError: the layers do not fit together.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    def __post_init__(self) -> None:
        shapes = [weight.shape for weight in self.weights]
        widths = [shape[0] for shape in shapes if len(shape) == 2]
        fit = len(widths) == len(shapes) == len(self.biases) > 0 and widths[-1] == 2
        if not fit or [shape[1] for shape in shapes[1:]] != widths[:-1]:
            raise ValueError(f"verifier: expected layers that fit together and end in 2 outputs, got {shapes}")
        if [bias.shape for bias in self.biases] != [(width,) for width in widths]:
            raise ValueError(f"verifier: expected a bias for each of {widths}, got {[b.shape for b in self.biases]}")

    @property
    def inputs(self) -> int:
        """Length of the vector that the first layer takes: number of queries times number of classes."""
        return int(self.weights[0].shape[1])

    def __call__(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probability in [0, 1] that a suspect was stolen.

        Args:
            probabilities: (..., queries, classes) in [0, 1]; leading axes are suspects.

        Returns:
            (...) float64; for one suspect a scalar.

        Raises:
            ValueError: there are more or fewer numbers per suspect than the first layer takes.
        """
        queries, classes = probabilities.shape[-2:]
        if queries * classes != self.inputs:
            raise ValueError(f"verifier: expected {self.inputs} probabilities a suspect, got {queries} x {classes}")
        values = probabilities.reshape(*probabilities.shape[:-2], self.inputs)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = values @ weight.T + bias
            values = np.where(values > 0, values, LEAKY_SLOPE * values)
        honest, stolen = np.moveaxis((values @ self.weights[-1].T + self.biases[-1]).astype(np.float64), -1, 0)
        lead: NDArray[np.float64] = np.exp(-np.logaddexp(0, honest - stolen))
        return lead

    def tensors(self) -> dict[str, Array]:
        """The layers' weights and biases by the names under which a query set stores them."""
        named = {f"{index}.weight": weight for index, weight in enumerate(self.weights)}
        return named | {f"{index}.bias": bias for index, bias in enumerate(self.biases)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array]) -> "Verifier":
        """Build the verifier whose ``tensors`` are these.

        Raises:
            KeyError: a layer is missing.
            ValueError: the layers do not fit together.
        """
        depth = range(len(tensors) // 2)
        return cls(tuple(tensors[f"{i}.weight"] for i in depth), tuple(tensors[f"{i}.bias"] for i in depth))
