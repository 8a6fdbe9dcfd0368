"""What is said of the attacks of a zoo: whom thieves side with, and whether pruning pruned."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from nf.core.errors import ArtifactError
from nf.core.files import write_json
from nf.core.lineage import Lineage, ModelSpec
from nf.models import predict
from nf.models.checkpoint import save_model
from nf.stages.run import Run
from nf.stages.zoo import summarise_zoo
from nf.zoo import ZooPlan
from nf.zoo.checks import check_attacks

ROOT = Path(__file__).parents[2]


def test_thieves_side_with_their_victim_or_with_the_other(build, victims, splits, tmp_path):
    """Both thieves are copies of the source here: the one that is listed as the mirror's is found out."""
    specs = {
        "source": ModelSpec("source", "resnet18", "train", "positive", "A"),
        "mirror": ModelSpec("mirror", "resnet18", "train", "negative", "B"),
        "distilled": ModelSpec("distilled", "resnet18", "distill", "positive", "A", "source"),
        "knockoff": ModelSpec("knockoff", "resnet18", "knockoff", "negative", "knockoff", "mirror"),
    }
    for name in specs:
        save_model(tmp_path / "zoo" / name, victims.get(name, victims["source"]), build, {"id": name})
    splits.save(tmp_path / "data")
    plan = SimpleNamespace(lineage=Lineage(tuple(specs.values())))
    found = check_attacks(plan, tmp_path / "data", tmp_path / "zoo")
    assert found["thieves"] == {
        "distilled": {"sides_with_victim": 1.0, "sides_with_other": 0.0},
        "knockoff": {"sides_with_victim": 0.0, "sides_with_other": 1.0},
    }
    assert found["faithful"] == 0.5
    everything = torch.cat([torch.from_numpy(part.images) for part in splits.parts.values()])
    source, mirror = (predict(victims[name], everything).argmax(1) for name in ("source", "mirror"))
    assert found["images"] == int((source != mirror).sum()) > 0


def test_a_pruned_model_that_is_not_sparse_is_an_error(tmp_path):
    run = Run.open("smoke", params=ROOT / "params.yaml", out=tmp_path)
    plan = ZooPlan(run.profile, data={})
    for spec in plan.lineage.specs:
        sparsity = float(spec.level) - 0.1 if spec.attack == "prune" else 0.0
        card = {"id": spec.id, "attack": spec.attack, "level": spec.level, "sparsity": sparsity}
        write_json(run.layout.zoo / spec.id / "card.json", card)
    with pytest.raises(ArtifactError, match=r"prune-0\.\d-source: expected a sparsity of 0\.\d, got 0\.\d"):
        summarise_zoo(run, plan)
    assert not (run.layout.zoo / "summary.json").exists()
