"""Building the zoo against a plain loop at equal work, in one run: ``python -m benchmarks.zoo``.

The plain loop does what one writes first: a DataLoader over single images, one model after another, the library's
default threads, layout and caches. Models, data, schedules and number of updates are the same on both sides.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch reads its settings as it is imported, and only one side has any
    from torch import Tensor

    from nf.core.config import TrainingConfig
    from nf.core.lineage import Lineage
    from nf.data import Augment
    from nf.models import Classifier

ROOT = Path(__file__).resolve().parent.parent


def plain_fit(
    model: "Classifier",
    images: "Tensor",
    targets: "Tensor",
    config: "TrainingConfig",
    *,
    seed: int,
    augment: "Augment | None" = None,
    objective: Any = None,
    trainable: str = "all",
    after_step: Any = None,
    draws_from: Sequence[Any] = (),
    precision: str | None = None,
) -> None:
    """The training loop that one writes first; same signature as ``nf.models.fit``, in float32 whatever is asked."""
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
    from torch.optim.lr_scheduler import LambdaLR, OneCycleLR
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    class Images(Dataset[tuple[Tensor, Tensor]]):
        def __init__(self) -> None:
            steps: list[Any] = [transforms.ToPILImage()]
            if augment is not None and augment.padding:
                steps.append(transforms.RandomCrop(images.shape[-1], padding=augment.padding))
            if augment is not None and augment.flip:
                steps.append(transforms.RandomHorizontalFlip())
            self.transform = transforms.Compose([*steps, transforms.ToTensor()])

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            return self.transform(images[index]), targets[index]

    def ordinary_loss(model: nn.Module, batch: Tensor, wanted: Tensor) -> Tensor:
        return functional.cross_entropy(model(batch), wanted)

    torch.manual_seed(seed)
    loader = DataLoader(Images(), batch_size=config.batch_size, shuffle=True)
    parameters = model.parameters() if trainable == "all" else model.classifier.parameters()
    optimizer = torch.optim.SGD(
        parameters, config.learning_rate, config.momentum, weight_decay=config.weight_decay, nesterov=True
    )
    total = config.epochs * math.ceil(len(images) / config.batch_size)
    constant = config.schedule == "constant"
    schedule = (
        LambdaLR(optimizer, lambda _: 1.0) if constant else OneCycleLR(optimizer, config.learning_rate, total + 1)
    )
    model.train()
    for _ in range(config.epochs):
        for batch, wanted in loader:
            optimizer.zero_grad()
            loss = (objective or ordinary_loss)(model, batch, wanted)
            loss.backward()
            optimizer.step()
            schedule.step()
            if after_step is not None:
                after_step(model)
    model.eval()


def callers_of_fit() -> list[ModuleType]:
    """The modules of ``nf.attacks`` that train by ``nf.models.fit``, each under that name."""
    from nf import attacks
    from nf.models import fit

    modules = [import_module(found.name) for found in iter_modules(attacks.__path__, f"{attacks.__name__}.")]
    return [module for module in modules if getattr(module, "fit", None) is fit]


def chosen_models(lineage: "Lineage") -> list[str]:
    """Source, mirror, one of each attack on weights; each architecture from scratch, as student and as knockoff."""
    attacks = ["finetune-FTAL", "prune-0.5", "noise-3", "adversarial-0.5"]
    wanted = {"source", "mirror", *(f"{attack}-source" for attack in attacks)}
    return [
        spec.id
        for spec in lineage.specs
        if spec.pool == "suspects"
        and (
            spec.id in wanted
            or spec.id.startswith("scratch-")
            or (spec.attack in ("distill", "knockoff") and spec.parent == "source")
        )
    ]


def build(side: str, out: Path) -> None:
    """Build the chosen models into ``out`` and print the seconds."""
    if side == "ours":
        from nf.core.threads import configure_math_libraries

        configure_math_libraries()
    from nf.core.paths import CARD_FILE
    from nf.data import Splits
    from nf.stages.prepare import prepare
    from nf.stages.run import Run
    from nf.stages.zoo import build_models, plan_zoo
    from nf.zoo import build_model

    run = Run.open("digits", params=ROOT / "params.yaml", out=out)
    prepare(run)
    plan = plan_zoo(run)
    ids = chosen_models(plan.lineage)
    started = time.perf_counter()
    if side == "ours":
        build_models(run, plan, ids)
    else:
        for module in callers_of_fit():  # there is no seam for a slower loop, and none is wanted
            setattr(module, "fit", plain_fit)  # noqa: B010 - of a module that is known by its name alone
        splits = Splits.load(run.layout.data)
        for model_id in ids:
            build_model(plan, model_id, splits, run.layout.zoo)
    seconds = time.perf_counter() - started
    cards = [json.loads((run.layout.zoo / i / CARD_FILE).read_text()) for i in ids]
    accuracy = sum(card["test_accuracy"] for card in cards) / len(cards)
    print(json.dumps({"seconds": round(seconds, 2), "models": len(ids), "mean_test_accuracy": round(accuracy, 4)}))


def compare(work: Path, record: Path) -> None:
    """Time both sides in processes of their own and write the record."""
    sides = {}
    for side in ("ours", "plain"):
        command = [sys.executable, "-m", "benchmarks.zoo", "--side", side, "--work", str((work / side).resolve())]
        result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        sides[side] = json.loads(result.stdout.splitlines()[-1])
        print(side, sides[side], flush=True)
    from nf.core.files import write_json
    from nf.stages.provenance import git_commit, machine, versions

    ratio = sides["plain"]["seconds"] / sides["ours"]["seconds"]
    write_json(
        record,
        {
            "what": "seconds to build the same models of the digits zoo: plain loop over ours",
            "ratio": round(ratio, 2),
            "n": 1,
            **sides,
            "machine": machine(),
            "versions": versions(),
            "commit": git_commit(ROOT),
        },
    )
    print(f"ratio {ratio:.2f}, written to {record}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("out/benchmark-zoo"))
    parser.add_argument("--record", type=Path, default=ROOT / "results" / "zoo-build.json")
    parser.add_argument("--side", choices=["ours", "plain"])
    arguments = parser.parse_args()
    if arguments.side:
        build(arguments.side, arguments.work)
    else:
        compare(arguments.work, arguments.record)
