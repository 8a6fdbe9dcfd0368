"""State of a training run that was killed, so that it goes on where it was."""

import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from nf.core.files import atomic_path

_logger = logging.getLogger(__name__)


def save_checkpoint(path: Path, identity: str, state: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        path: file to write.
        identity: hash of all that the run's result depends on.
        state: tensors and plain values.

    Raises:
        ArtifactError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        torch.save({"identity": identity, "state": state}, temporary)


def load_checkpoint(path: Path, identity: str, device: str) -> dict[str, Any] | None:
    """Read a checkpoint.

    Args:
        path: file that ``save_checkpoint`` wrote.
        identity: hash of all that the run's result depends on.
        device: torch device that the tensors are put on.

    Returns:
        The state; ``None`` if there is no file, it is another run's, or it is damaged.
    """
    if not path.exists():
        return None
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        if saved["identity"] == identity:
            state: dict[str, Any] = saved["state"]
            return state
        _logger.warning("%s is of a run with other settings; starting from the beginning", path)
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        _logger.warning("%s is damaged (%s); starting from the beginning", path, error)
    return None
