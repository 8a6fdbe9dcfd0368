"""Random test images: the baseline that every scheme must beat."""

from dataclasses import dataclass

import torch

from nf.core.errors import NotEnoughQueriesError
from nf.data import to_float
from nf.fingerprints.base import Choice, Draft, Scheme, Task
from nf.models import predicted_labels


@dataclass(frozen=True)
class RandomConfig:
    """How queries are chosen.

    Attributes:
        choice: ``published`` takes the first images drawn; ``held-out`` those that tell calibration models apart best.
    """

    choice: Choice = "published"


class RandomImages(Scheme):
    """Test images drawn at random, with the source model's labels."""

    name = "random"
    Config = RandomConfig

    def run(self, task: Task) -> Draft:
        """Draw without replacement.

        Raises:
            NotEnoughQueriesError: there are fewer test images than queries.
        """
        images = task.data.test_images
        if len(images) < task.queries:
            raise NotEnoughQueriesError(f"expected at least {task.queries} test images, got {len(images)}")
        generator = torch.Generator().manual_seed(task.seed)
        drawn = images[torch.randperm(len(images), generator=generator)[: self.wanted(task)]]
        labels = predicted_labels(task.models.source, to_float(drawn.to(task.models.device))).cpu()
        return Draft(drawn, labels, torch.full_like(labels, -1))
