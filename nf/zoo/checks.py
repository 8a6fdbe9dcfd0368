"""Did the attacks do what they should? Thieves must follow their victim where victim and stranger part ways."""

from pathlib import Path
from typing import Any

import torch

from nf.core.lineage import MIRROR_ID, SOURCE_ID
from nf.data import SPLIT_NAMES, Splits
from nf.models import load_model, predict
from nf.zoo.plan import ZooPlan

_IMAGES_PER_PART = 2000  # enough to compare, at a cost far under the zoo's


def check_attacks(plan: ZooPlan, splits_folder: Path, folder: Path, *, device: str = "cpu") -> dict[str, Any]:
    """How often thieves of source and mirror side with their victim, on images where the two disagree.

    Returns:
        The number of such ``images``; per model id its ``sides_with_victim`` and ``sides_with_other``, as shares of
        them; and ``faithful``, the share of thieves that side with their victim more than with the other.
    """
    splits = Splits.load(splits_folder)
    images = torch.cat(
        [torch.from_numpy(splits[name].images[:_IMAGES_PER_PART]) for name in (*SPLIT_NAMES, "knockoff")]
    )
    answers = {victim: _labels(folder / victim, images, device) for victim in (SOURCE_ID, MIRROR_ID)}
    contested = answers[SOURCE_ID] != answers[MIRROR_ID]
    images = images[contested]
    thieves = {}
    for spec in plan.lineage.specs:
        extracted = spec.attack in ("distill", "knockoff") and spec.pool != "plus"  # other data, other expectations
        if not extracted or spec.parent not in answers or not len(images):
            continue
        other = MIRROR_ID if spec.parent == SOURCE_ID else SOURCE_ID
        given = _labels(folder / spec.id, images, device)
        thieves[spec.id] = {
            "sides_with_victim": _share(given == answers[spec.parent][contested]),
            "sides_with_other": _share(given == answers[other][contested]),
        }
    faithful = [row["sides_with_victim"] > row["sides_with_other"] for row in thieves.values()]
    return {
        "images": int(contested.sum()),
        "thieves": thieves,
        "faithful": round(sum(faithful) / len(faithful), 6) if faithful else None,
    }


def _labels(folder: Path, images: torch.Tensor, device: str) -> torch.Tensor:
    return predict(load_model(folder)[0].to(device), images).argmax(1)


def _share(hits: torch.Tensor) -> float:
    return round(float(hits.float().mean()), 6)
