"""A model of which only answers are known, as a classifier: for teaching students and for judging queries."""

import hashlib
from collections.abc import Callable
from itertools import islice
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nf.core.answer_memory import AnswerMemory
from nf.core.answers import Answers
from nf.data import to_bytes
from nf.models.classifier import Classifier

_CERTAIN = 0.99
"""Probability that stands for a label where a model gives nothing else."""

_SMALLEST = 1e-7

_KEPT_AT_ONCE = 32
"""Images that are asked before their answers are kept: a model that fails has been asked no more for nothing."""

Answer = Callable[[NDArray[np.uint8]], Answers]
"""Function from (N, C, H, W) uint8 images to what the model answers of the owner's classes."""


class AnsweringClassifier(Classifier):
    """Images in [0, 1] to logits by asking somebody, without gradients; answers are kept if there is a memory.

    Attributes:
        digest: (32,) uint8 SHA-256 of what the model is, so that its ``weights_hash`` tells it from others.

    Args:
        answer: asks the model.
        num_classes: number of classes.
        channels: number of channels of the images.
        digest: SHA-256 in hexadecimal of what the model is.
        memory: answers that were given before.
    """

    digest: Tensor

    def __init__(
        self,
        answer: Answer,
        num_classes: int,
        channels: int,
        digest: str,
        memory: AnswerMemory | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self._answer = answer
        self._num_classes = num_classes
        self._memory = memory
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))
        self.register_buffer("digest", torch.tensor(list(bytes.fromhex(digest)), dtype=torch.uint8))
        self.eval()

    def features(self, x: Tensor) -> Tensor:
        """The logits: nothing else is known of it."""
        return self.forward(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32 in [0, 1], rounded to bytes -> (N, ``num_classes``) logits, or logarithms."""
        images = to_bytes(x.detach()).cpu().contiguous().numpy()
        return torch.from_numpy(self._scores(images)).to(x.device)

    def _scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._memory is None:
            return self._ask(images)
        keys = [hashlib.sha256(image.tobytes()).digest() for image in images]
        known = self._memory.find(keys)
        new = {key: image for key, image in zip(keys, images, strict=True) if key not in known}
        for start in range(0, len(new), _KEPT_AT_ONCE):
            some = dict(islice(new.items(), start, start + _KEPT_AT_ONCE))
            asked = dict(zip(some, self._ask(np.stack(list(some.values()))), strict=True))
            self._memory.add(asked)
            known.update(asked)
        return np.stack([known[key] for key in keys])

    def _ask(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        given = self._answer(images)
        if given.probabilities is not None:
            return np.log(np.clip(given.probabilities, np.float32(_SMALLEST), np.float32(1)))
        likely = np.full((len(images), self._num_classes), (1 - _CERTAIN) / (self._num_classes - 1))
        known = np.flatnonzero(given.labels >= 0)
        likely[known, given.labels[known]] = _CERTAIN
        scores: NDArray[np.float32] = np.log(likely).astype(np.float32)
        return scores

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: nothing in it is ever changed."""
        return self
