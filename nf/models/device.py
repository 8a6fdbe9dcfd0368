"""Where networks are computed."""

from typing import Literal

import torch

from nf.core.errors import ConfigError


def resolve_device(wanted: Literal["auto", "cpu", "cuda"]) -> str:
    """Name of the torch device for the setting ``wanted``: ``auto`` is ``cuda`` if torch finds a GPU, else ``cpu``.

    Raises:
        ConfigError: ``cuda`` is wanted and there is none.
    """
    found = torch.cuda.is_available()
    if wanted == "auto":
        return "cuda" if found else "cpu"
    if wanted == "cuda" and not found:
        raise ConfigError("execution.device: expected a GPU for 'cuda', got none that torch can use; set auto or cpu")
    return wanted
