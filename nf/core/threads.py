"""Settings of the math libraries, in one place, and who may use them at once."""

import os
import threading

_SETTINGS = {
    # oneDNN keeps compiled primitives, 1,024 by default. Going round a dozen different networks needs several thousand,
    # and then each call compiles its primitive anew.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16384",
    # Small networks gain little from a second thread; models, batches and stages side by side gain more. And with one
    # thread sums are added up in the same order on any number of cores. On several, oneDNN 3.13 (its issue 6035) writes
    # past its workspace in the backward pass of a strided 1x1 convolution of fewer than 16 channels.
    "OMP_NUM_THREADS": "1",
}

TORCH_RNG_LOCK = threading.Lock()
"""Held by work that draws from torch's global generator, of which a process has one for all of its threads."""


def configure_math_libraries() -> None:
    """Set the environment variables that the math libraries read once, when torch starts; the user's own stay.

    Entry points call this before they import torch.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
