"""A classifier: normalisation, a body that ends in pooled features, and one linear layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """Images in [0, 1] to logits; the normalisation is inside, so that a model means the same wherever it goes.

    Attributes:
        body: network from (N, C, H, W) normalised images to (N, ``feature_dim``) pooled features.
        classifier: linear last layer, which fine-tuning may re-initialise.
        mean: (1, C, 1, 1) buffer that is subtracted from each channel, in units of the [0, 1] range.
        std: (1, C, 1, 1) buffer that each channel is divided by, in units of the [0, 1] range.

    Args:
        body: as the attribute.
        feature_dim: number of features that ``body`` returns.
        num_classes: number of logits.
        mean: C numbers, in units of the [0, 1] range.
        std: C positive numbers, in units of the [0, 1] range.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, body: nn.Module, feature_dim: int, num_classes: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.body = body
        self.classifier = nn.Linear(feature_dim, num_classes)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).reshape(1, -1, 1, 1))

    def features(self, x: Tensor) -> Tensor:
        """Features that the last layer reads: (N, C, H, W) float32 in [0, 1] -> (N, ``feature_dim``)."""
        features: Tensor = self.body((x - self.mean) / self.std)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32 in [0, 1] -> (N, ``num_classes``) logits."""
        logits: Tensor = self.classifier(self.features(x))
        return logits
