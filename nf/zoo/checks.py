"""A check that the attacks worked: where source and mirror disagree, a thief must follow the one it stole from."""

from pathlib import Path
from typing import Any

import torch

from nf.core.lineage import MIRROR_ID, SOURCE_ID, STUDENT_ATTACKS
from nf.data import SPLIT_NAMES, Splits
from nf.models import load_model, predict
from nf.zoo.build import OpenSource
from nf.zoo.plan import ZooPlan

IMAGES_PER_PART = 2000
"""Images of each split at most: enough to compare, at a cost far under the zoo's."""


def check_attacks(
    plan: ZooPlan, splits_folder: Path, folder: Path, *, device: str = "cpu", open_source: OpenSource | None = None
) -> dict[str, Any]:
    """Measure how often thieves side with their victim on images where source and mirror disagree.

    Args:
        plan: the zoo.
        splits_folder: folder of the prepared images.
        folder: folder of the built models.
        device: torch device to compute on.
        open_source: opens a source that the owner trained elsewhere.

    Returns:
        ``images``: number of images where source and mirror disagree; ``thieves``: by model id the shares in [0, 1] of
        these images where the thief ``sides_with_victim`` and ``sides_with_other``, the other one of source and mirror;
        ``faithful``: share of thieves that side with their victim more than with the other, or ``None`` without any.

    Raises:
        ArtifactError: images or a model are missing or damaged.
    """
    splits = Splits.load(splits_folder)
    images = torch.cat([torch.from_numpy(splits[name].images[:IMAGES_PER_PART]) for name in (*SPLIT_NAMES, "knockoff")])
    source = open_source(plan, folder) if open_source is not None else load_model(folder / SOURCE_ID)[0]
    answers = {
        SOURCE_ID: predict(source.to(device), images).argmax(1),
        MIRROR_ID: _labels(folder / MIRROR_ID, images, device),
    }
    contested = answers[SOURCE_ID] != answers[MIRROR_ID]
    images = images[contested]
    thieves = {}
    for spec in plan.lineage.asked().specs:
        extracted = spec.attack in STUDENT_ATTACKS and spec.pool != "plus"  # other data, other expectations
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
