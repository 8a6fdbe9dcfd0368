import numpy as np
import pytest

from nf.core.queries import QuerySet


@pytest.fixture
def queries() -> QuerySet:
    """Seven queries of scheme and threshold."""
    images = np.random.default_rng(1).integers(0, 256, (7, 1, 4, 4), dtype=np.uint8)
    labels = np.array([0, 1, 2, 0, 1, 2, 0])
    return QuerySet(images, labels, np.full(7, -1), {"scheme": "naturalfinger", "threshold": 0.6})
