"""Building models in a process that knows nothing yet, one of this machine's or another's."""

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from nf.core.files import canonical_json, read_json
from nf.core.threads import alone
from nf.data import Splits
from nf.models import resolve_device
from nf.models.checkpoint import CARD_FILE
from nf.zoo.build import build_model, is_built
from nf.zoo.recipes import ZooPlan


@dataclass(frozen=True)
class ModelBuilder:
    """Builds models of one plan in whatever process ``build`` is called; small enough to be sent with every call.

    Attributes:
        plan: what to build.
        splits_folder: where the images lie, as every process sees it.
        folder: the zoo, likewise.
    """

    plan: ZooPlan
    splits_folder: Path
    folder: Path

    def build(self, model_id: str) -> tuple[dict[str, Any], float]:
        """Build one model on one thread and return its card and the seconds that it took.

        A model that is there is left alone: the process that built it may have died before it could say so.

        Raises:
            NFError: what went wrong.
        """
        started = time.perf_counter()
        with alone:
            torch.set_num_threads(1)
            if is_built(self.plan, model_id, self.folder):
                card = read_json(self.folder / model_id / CARD_FILE)
            else:
                splits = _load_once(self.splits_folder, canonical_json(self.plan.data["hashes"]))
                device = resolve_device(self.plan.profile.execution.device)
                card = build_model(self.plan, model_id, splits, self.folder, device=device)
        return card, time.perf_counter() - started


@lru_cache(maxsize=1)
def _load_once(folder: Path, hashes: str) -> Splits:
    """The splits, read once per process; ``hashes`` tell new images in the same folder from those that were read."""
    del hashes
    return Splits.load(folder)
