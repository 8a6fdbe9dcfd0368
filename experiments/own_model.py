"""Does an owner's own model get a query set that finds thieves made outside, and spares honest models made outside?

Everything but `nf` is plain torch, as owners and thieves write it: images in folders, ImageNet's normalisation, models
of torchvision and timm, ONNX by torch's exporter. ``--owner`` says what the owner has (``experiments.owners``).

``python -m experiments.own_model --images FILE.npz --out DIR --record FILE`` trains the owner's model and the suspects,
runs `nf init` and `nf run`, asks every suspect, and writes a record. What is there is kept, so that a run that was cut
goes on.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils import prune
from torchvision import models

from experiments.owners import MEAN, OWNERS, STD, Owner, export
from nf.core.files import write_json
from nf.stages.provenance import git_commit, machine, versions

CLASSES = ("airplane", "automobile", "bird", "deer", "horse", "ship")
_NUMBERS = (0, 1, 2, 4, 7, 8)  # of these among CIFAR-10's
_IMAGES = 1500  # of a class: the owner's, and as many that the owner never saw
_ELSEWHERE = 2000  # of a class: others', which neither the owner nor the owner's honest models ever saw
_TEST = 400
SUSPECTS_EPOCHS = 10
COPIES = ("thief-itself", "thief-fine-tuned", "thief-pruned")
"""Suspects that are the owner's model, changed: in its own form."""

_ELSEWHERE_TRAINED = {
    "timm:regnetx_002": 40,
    "timm:dla46_c": 41,
    "timm:resnet14t": 42,
    "timm:repvgg_a0": 43,
    "timm:mobilenetv2_050": 44,
}
"""Independent networks that learn elsewhere, and their seeds."""


@dataclass(frozen=True)
class Part:
    """Images (N, 3, 32, 32) uint8 and their labels (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def every(self, step: int) -> "Part":
        """Each ``step``-th image."""
        return Part(self.images[::step], self.labels[::step])


def prepared(images: NDArray[np.uint8], size: int) -> Tensor:
    """Images as the owner's code gives them to a network."""
    x = torch.from_numpy(images).float() / 255
    if size != x.shape[-1]:
        x = nn.functional.interpolate(x, (size, size), mode="bilinear", align_corners=False)
    return (x - MEAN.view(1, 3, 1, 1)) / STD.view(1, 3, 1, 1)


def train(
    network: nn.Module,
    part: Part,
    *,
    size: int,
    epochs: int,
    rate: float,
    teacher: nn.Module | None = None,
    seed: int = 0,
) -> nn.Module:
    """Plain SGD on shifted and mirrored images, on labels or on a teacher's answers."""
    generator, labels = torch.Generator().manual_seed(seed), torch.from_numpy(part.labels)
    optimizer = torch.optim.SGD(network.parameters(), rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    batches = -(-len(labels) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches + 1)
    network.train()
    for _ in range(epochs):
        for index in torch.randperm(len(labels), generator=generator).split(64):
            x = prepared(part.images[index], size)
            down, right = torch.randint(-3, 4, (2,), generator=generator).tolist()
            x = torch.roll(x, (down, right), (2, 3))
            x = x.flip(3) if torch.rand((), generator=generator) < 0.5 else x
            if teacher is None:
                loss = nn.functional.cross_entropy(network(x), labels[index])
            else:
                with torch.no_grad():
                    wanted = teacher(x).log_softmax(1)
                loss = nn.functional.kl_div(network(x).log_softmax(1), wanted, reduction="batchmean", log_target=True)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def accuracy(network: nn.Module, part: Part, size: int) -> float:
    """Share of the images that the network gets right."""
    with torch.no_grad():
        given = torch.cat([network(prepared(part.images[i : i + 200], size)) for i in range(0, len(part.labels), 200)])
    return float((given.argmax(1).numpy() == part.labels).mean())


def fresh(name: str, seed: int) -> nn.Module:
    """An untrained network of torchvision, or of timm after ``timm:``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if name.startswith("timm:"):
            import timm

            network: nn.Module = timm.create_model(name.removeprefix("timm:"), num_classes=len(CLASSES))
            return network
        plain: nn.Module = models.get_model(name, num_classes=len(CLASSES))
    return plain


def pruned(source: nn.Module, kinds: tuple[type[nn.Module], ...], part: Part, size: int) -> nn.Module:
    """Half of the weights of some kinds of layers away by torch's own pruning, then a little training."""
    layers = [(module, "weight") for module in source.modules() if isinstance(module, kinds)]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=0.5)
    train(source, part, size=size, epochs=1, rate=0.005)
    for module, name in layers:
        prune.remove(module, name)
    return source.eval()


Make = Callable[[], nn.Module]


class Outside:
    """The owner's model and the suspects, each trained once and kept as ONNX."""

    def __init__(self, owner: Owner, parts: dict[str, Part], epochs: int) -> None:
        self._owner, self._parts, self._epochs = owner, parts, epochs

    def owners(self) -> None:
        """Train the owner's model, if that is not done."""
        owner = self._owner
        if (owner.out / "model.pt").exists():
            return
        own = self._parts["train"]
        owner.write(train(owner.fresh(), own, size=owner.size, epochs=self._epochs, rate=owner.rate))

    def suspects(self) -> dict[str, Make]:
        """How each suspect is made; the first letters say what it is: thief, independent or twin."""
        own, others, few = self._parts["train"], self._parts["others"], self._parts["test"].every(2)
        elsewhere = self._parts["elsewhere"]
        source, size, first = self._owner.source, self._owner.size, self._owner.first
        kinds = self._owner.pruned
        learn = partial(train, size=size, epochs=SUSPECTS_EPOCHS, rate=0.05)

        def tuned() -> nn.Module:
            return train(source(), few, size=size, epochs=3, rate=self._owner.rate / 5, seed=first + 1)

        def student(name: str, part: Part, seed: int) -> nn.Module:
            return learn(fresh(name, first + seed), part, teacher=source(), seed=first + seed)

        def scratch(name: str, part: Part, seed: int) -> nn.Module:
            return learn(fresh(name, first + seed), part, seed=first + seed)

        return {
            "thief-itself": source,
            "thief-fine-tuned": tuned,
            **({"thief-pruned": lambda: pruned(source(), kinds, few, size)} if kinds else {}),
            "thief-distilled-mobilenet": lambda: student("timm:mobilenetv3_small_050", own, 11),
            "thief-distilled-shufflenet": lambda: student("shufflenet_v2_x0_5", own, 12),
            "independent-shufflenet": lambda: scratch("shufflenet_v2_x0_5", others, 13),
            "independent-mobilenet": lambda: scratch("timm:mobilenetv3_small_050", others, 14),
            "twin-shufflenet": lambda: scratch("shufflenet_v2_x0_5", own, 15),
            "twin-mobilenet": lambda: scratch("timm:mobilenetv3_small_050", own, 16),
            "independent-resnet": lambda: scratch("timm:resnet10t", others, 17),
            "independent-regnet": lambda: scratch("regnet_y_400mf", others, 18),
            "twin-resnet": lambda: scratch("timm:resnet10t", own, 19),
            "thief-distilled-regnet": lambda: student("regnet_y_400mf", own, 20),
            "thief-distilled-regnetx_002": lambda: student("timm:regnetx_002", own, 30),
            "thief-distilled-dla46_c": lambda: student("timm:dla46_c", own, 31),
            **{
                f"independent-{name.removeprefix('timm:')}": partial(scratch, name, elsewhere, seed)
                for name, seed in _ELSEWHERE_TRAINED.items()
            },
            "twin-repvgg_a0": lambda: scratch("timm:repvgg_a0", own, 53),
        }

    def export(self, name: str, make: Make) -> float:
        """Train and write one suspect, if that is not done; its accuracy on the test images."""
        path = self._owner.out / "suspects" / f"{name}.onnx"
        note = path.with_suffix(".json")
        if not note.exists():
            network = make()
            path.parent.mkdir(exist_ok=True)
            if name in COPIES:
                self._owner.export(network, path)
            else:
                export(network, path, self._owner.size)
            write_json(note, {"accuracy": round(accuracy(network, self._parts["test"], self._owner.size), 4)})
        return float(json.loads(note.read_text())["accuracy"])


def read_parts(path: Path) -> dict[str, Part]:
    """The owner's images, as many that the owner never saw, and the test images, from a file of all of CIFAR-10."""
    with np.load(path) as file:
        known = {"train": (file["x"], file["y"]), "test": (file["xt"], file["yt"])}
    places = {
        "train": ("train", 0, _IMAGES),
        "others": ("train", _IMAGES, 2 * _IMAGES),
        "elsewhere": ("train", 2 * _IMAGES, 2 * _IMAGES + _ELSEWHERE),
        "test": ("test", 0, _TEST),
    }
    parts = {}
    for name, (source, first, last) in places.items():
        pixels, numbers = known[source]
        index = np.concatenate([np.flatnonzero(numbers == number)[first:last] for number in _NUMBERS])
        labels = np.searchsorted(_NUMBERS, numbers[index]).astype(np.int64)
        parts[name] = Part(np.ascontiguousarray(np.moveaxis(pixels[index], -1, 1)), labels)
    return parts


def write_folders(out: Path, parts: dict[str, Part]) -> None:
    """PNG files, a folder for each class, of what the owner has."""
    for name in ("train", "test", "others"):
        part = parts[name]
        root = out / ("others" if name == "others" else f"images/{name}")
        if root.exists():
            continue
        for number, (image, label) in enumerate(zip(part.images, part.labels, strict=True)):
            path = root / CLASSES[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.moveaxis(image, 0, -1)).save(path)


def nf(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `nf` in the owner's folder."""
    return subprocess.run(
        [sys.executable, "-m", "nf", *arguments], cwd=out, capture_output=True, text=True, check=False
    )


@click.command()
@click.option("--images", type=click.Path(path_type=Path, exists=True), required=True, help="CIFAR-10 as x, y, xt, yt.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--record", type=click.Path(path_type=Path), required=True)
@click.option("--owner", "kind", type=click.Choice(list(OWNERS)), default="checkpoint", show_default=True)
@click.option("--size", default=32, show_default=True, help="Pixels that the owner's model takes.")
@click.option("--epochs", default=5, show_default=True, help="Of the owner's model.")
@click.option("--scheme", default="naturalfinger", show_default=True, help="Which queries are planned for and asked.")
@click.option("--minutes", type=float, help="Time for `nf init` to plan with. [default: what it needs]")
@click.option("--suspects", "count", type=int, help="How many are made and asked, the first ones. [default: all]")
@click.option("--note", default="")
def main(
    images: Path,
    out: Path,
    record: Path,
    kind: str,
    size: int,
    epochs: int,
    scheme: str,
    minutes: float | None,
    count: int | None,
    note: str,
) -> None:
    """Protect a model that was trained outside, and ask suspects that were made outside."""
    out.mkdir(parents=True, exist_ok=True)
    parts = read_parts(images)
    write_folders(out, parts)
    owner = OWNERS[kind](out, len(CLASSES), size)
    outside = Outside(owner, parts, epochs)
    outside.owners()
    suspects = outside.suspects()
    accuracies = {"source": outside.export("thief-itself", suspects["thief-itself"])}
    (out / "params.yaml").write_text((Path(__file__).parents[1] / "params.yaml").read_text())
    if not (out / "profiles" / "own.yaml").exists():
        met = nf(
            out,
            *("init", "own", "--data", "images", "--others", "others", "--scheme", scheme),
            *("--model", *owner.arguments()),
            *(() if minutes is None else ("--minutes", str(minutes))),
        )
        click.echo(met.stdout + met.stderr)
    ran = nf(out, "run", "report", "--profile", "own", "--schemes", scheme)
    click.echo(ran.stdout + ran.stderr[-3000:])
    rows: dict[str, Any] = {}
    queries = out / "out" / "own" / "fingerprints" / scheme
    for name, make in islice(suspects.items(), count):
        accuracies[name] = outside.export(name, make)
        stated = owner.stated() if name in COPIES else ("--input", f"rgb,imagenet,{size}")
        asked = nf(
            out, "verify", f"suspects/{name}.onnx", "--queries", str(queries.relative_to(out)), *stated, "--json"
        )
        click.echo(f"{name}: {asked.returncode} {asked.stderr.strip()}")
        found = json.loads(asked.stdout) if asked.stdout.strip() else {}
        rows[name] = {
            "status": asked.returncode,
            "accuracy": accuracies[name],
            **{key: found.get(key) for key in ("outcome", "score", "calibrated", "independent", "trained")},
        }
    timings = json.loads((out / "out" / "own" / "timings.json").read_text())
    timings.pop("seal")
    has_gan = json.loads((queries / "card.json").read_text())["gan"] is not None
    timings = {part: seconds for part, seconds in timings.items() if _is_of(part, scheme, has_gan=has_gan)}
    facts: dict[str, Any] = {"commit": git_commit(Path(__file__).parent), "machine": machine(), "versions": versions()}
    facts |= {
        "owner": owner.name,
        "form": owner.form,
        "size": size,
        "scheme": scheme,
        "minutes_asked": minutes,
        "seconds": sum(timings.values()),
        "note": note,
        "left": list(suspects)[len(rows) :],
    }
    facts["bytes"] = sum(path.stat().st_size for path in (out / "out" / "own").rglob("*") if path.is_file())
    metrics = json.loads((out / "out" / "own" / "metrics" / f"{scheme}.json").read_text())
    write_json(record, {**facts, "timings": timings, "suspects": rows, "zoo": metrics.get("verdicts")})
    click.echo(json.dumps(asdict(Counts.of(rows))))


def _is_of(part: str, scheme: str, *, has_gan: bool) -> bool:
    """Whether a part of the run is one that the queries of ``scheme`` need."""
    stage, _, item = part.partition("@")
    return item in ("", scheme) or (stage == "gan" and has_gan)


@dataclass(frozen=True)
class Counts:
    """Thieves found, and honest models accused."""

    thieves: int
    found: int
    honest: int
    accused: int

    @classmethod
    def of(cls, rows: dict[str, Any]) -> "Counts":
        """Counts over suspects by name."""
        thieves = [row for name, row in rows.items() if name.startswith("thief")]
        honest = [row for name, row in rows.items() if not name.startswith("thief")]
        accused = ("stolen", "stolen or trained on your data")
        return cls(
            len(thieves),
            sum(row["outcome"] in accused for row in thieves),
            len(honest),
            sum(row["outcome"] in accused for row in honest),
        )


if __name__ == "__main__":
    main()
