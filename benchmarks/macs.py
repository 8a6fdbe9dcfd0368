"""What the work of a profile costs and how much of a machine it uses: ``python -m benchmarks.macs --profile NAME``.

Counts the multiply-accumulates of every model of the zoo, of the GAN and of moving latents, and the numbers that
training moves through memory; with ``--measure`` it also times a training step of each architecture and a large matrix
product on this machine. Writes ``results/budget-<profile>.json``; ``python -m tools.results.tables`` puts it
on ``docs/results/``.
"""

import argparse
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nf.attacks import ATTACKS
from nf.core.config import Profile, TrainingConfig, load_profile
from nf.core.files import read_json, write_json
from nf.core.lineage import ModelSpec
from nf.core.sections import parse_section
from nf.core.seeds import derive_seed
from nf.data import Augment
from nf.fingerprints import SCHEMES
from nf.gan import GANS, ImageShape
from nf.models import build_body, build_classifier, fit, resolve_device
from nf.stages.provenance import git_commit, machine, versions
from nf.zoo import ZooPlan
from tools.results.architectures import CLASSES

ROOT = Path(__file__).resolve().parent.parent
# Images of each split, where no run has been recorded: CIFAR-10 halved, CIFAR-100 for knockoff.
CIFAR_SIZES = {"A": 25_000, "B": 25_000, "finetune": 5_000, "knockoff": 50_000}
# What one H100 is taken for until a run has measured it: a large bfloat16 matrix product, a copy within its memory.
ASSUMED = {"device": "H100, assumed", "tflops": 790.0, "terabytes_per_second": 3.0, "bytes_per_number": 2}
# A training step is a forward pass and twice as much backward; without gradients of weights the backward is as much.
STEP, INPUT_GRADIENT = 3, 2


def forward_macs(body: nn.Module, *inputs: torch.Tensor) -> int:
    """Multiply-accumulates of one forward pass; on the device ``meta`` nothing is computed."""
    with FlopCounterMode(display=False) as counter:
        body(*inputs)
    return int(counter.get_total_flops()) // 2


def forward_elements(model: nn.Module, *inputs: torch.Tensor) -> tuple[int, int]:
    """Numbers read and written by a forward pass: by every layer, and by those alone that batch norm and ReLU join."""
    totals = Counter[str]()

    def count(layer: nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        moved = given[0].numel() + made.numel()
        totals["every"] += moved
        if isinstance(layer, nn.Conv2d | nn.Linear):
            totals["joined"] += moved

    handles = [layer.register_forward_hook(count) for layer in model.modules() if not list(layer.children())]
    model(*inputs)
    for handle in handles:
        handle.remove()
    return totals["every"], totals["joined"]


def networks(profile: Profile) -> dict[str, dict[str, float]]:
    """For each architecture: multiply-accumulates of one image, and the numbers that its training step moves."""
    found: dict[str, dict[str, float]] = {}
    image = torch.empty(1, profile.data.channels, profile.data.image_size, profile.data.image_size, device="meta")
    for name in profile.zoo.architectures:
        with torch.device("meta"):
            body, features = build_body(name, in_channels=profile.data.channels, **profile.zoo.network(name))
            model = nn.Sequential(body, nn.Linear(features, CLASSES)).eval()
        every, joined = forward_elements(model, image)
        found[name] = {
            "macs": forward_macs(model, image),
            "step_numbers": STEP * every,
            "step_numbers_joined": STEP * joined,
        }
    return found


def passes(spec: ModelSpec, plan: ZooPlan, sizes: dict[str, int]) -> Iterator[tuple[str, float, float]]:
    """How often an image goes through a network for one model: (architecture, images, forward passes' worth each)."""
    section: Any = parse_section(ATTACKS[spec.attack].config, plan.attack_section(spec), spec.attack)
    schedule = getattr(section, "schedule", None) or plan.training(spec.architecture)
    epochs = getattr(section, "epochs", None) or schedule.epochs
    images = sizes[spec.data] * epochs
    only_last = spec.attack == "finetune" and spec.level.endswith("LL")
    yield spec.architecture, images, 1 if only_last else STEP
    if spec.attack == "adversarial":
        yield spec.architecture, images * float(spec.level), STEP + section.steps * INPUT_GRADIENT
    if spec.attack in ("distill", "knockoff"):
        asked = images if spec.attack == "distill" else sizes[spec.data]
        yield plan.lineage[str(spec.parent)].architecture, asked, 1


def zoo(plan: ZooPlan, sizes: dict[str, int], cost: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Multiply-accumulates and moved numbers of every model, and their sums by architecture and by attack."""
    models: dict[str, dict[str, float]] = {}
    sums: dict[str, dict[str, Counter[str]]] = {"architecture": defaultdict(Counter), "attack": defaultdict(Counter)}
    for spec in plan.lineage.specs:
        done: dict[str, float] = {"macs": 0, "step_numbers": 0, "step_numbers_joined": 0}
        for architecture, images, worth in passes(spec, plan, sizes):
            done["macs"] += images * worth * cost[architecture]["macs"]
            for key in ("step_numbers", "step_numbers_joined"):
                done[key] += images * worth / STEP * cost[architecture][key]
        models[spec.id] = done
        for kind, table in sums.items():
            table[getattr(spec, kind)].update({**done, "models": 1})
    return {"models": models, **{f"by_{kind}": {k: dict(v) for k, v in table.items()} for kind, table in sums.items()}}


def gan_and_latents(plan: ZooPlan, cost: dict[str, dict[str, float]]) -> dict[str, float]:
    """Multiply-accumulates of training the profile's first GAN, and of moving one latent to the end."""
    profile = plan.profile
    name = next(iter(profile.gans))
    definition = GANS[name]
    config = parse_section(definition.config, profile.gans[name], name)
    shape = ImageShape(profile.data.image_size, profile.data.channels, CLASSES if definition.conditional else 0)
    with torch.device("meta"):
        networks = definition.generator(config, shape).eval(), definition.discriminator(config, shape).eval()
        z, label = torch.empty(1, config.latent_dim), torch.zeros(1, dtype=torch.int64)
        image = torch.empty(1, shape.channels, shape.image_size, shape.image_size)
        generate, judge = forward_macs(networks[0], z, label), forward_macs(networks[1], image, label)
    critic = config.d_steps * (generate + 2 * STEP * judge)
    step = config.batch_size * (critic + STEP * generate + INPUT_GRADIENT * judge)
    latents = parse_section(SCHEMES["naturalfinger"].Config, profile.schemes["naturalfinger"], "naturalfinger")
    pool = [*profile.zoo.pool.positive, *profile.zoo.pool.negative]
    asked = sum(cost[plan.lineage[model_id].architecture]["macs"] for model_id in pool)
    updates = len(profile.zoo.pool.positive) / latents.chunk
    moved = latents.epochs * INPUT_GRADIENT * (asked + updates * (generate + judge))
    return {"gan_macs": step * config.steps, "latent_macs": moved}


def measure(plan: ZooPlan, cost: dict[str, dict[str, float]], repeats: int) -> dict[str, Any]:
    """Seconds of a training step of each architecture by ``fit``, and of a matrix product, on this machine."""
    device = torch.device(resolve_device(plan.profile.execution.device))
    on_gpu = device.type == "cuda"
    side = 8192 if on_gpu else 1024
    kind = torch.bfloat16 if on_gpu else torch.float32
    left, right = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    product = _seconds(lambda: left @ right, device, repeats)
    copied = _seconds(lambda: left.clone(), device, repeats)
    peak = 2 * side**3 / product
    found = {}
    for name in plan.profile.zoo.architectures:
        schedule = plan.training(name)
        step = _step_seconds(plan.profile, name, schedule.batch_size, device, repeats)
        flops = 2 * STEP * cost[name]["macs"] * schedule.batch_size
        found[name] = {
            "batch": schedule.batch_size,
            "milliseconds": round(1e3 * step, 3),
            "share": round(flops / step / peak, 4),
        }
    return {
        "device": torch.cuda.get_device_name() if on_gpu else f"{machine()}, {torch.get_num_threads()} thread",
        "tflops": round(peak / 1e12, 4),
        "terabytes_per_second": round(2 * left.numel() * left.element_size() / copied / 1e12, 4),
        "bytes_per_number": left.element_size(),
        "repeats": repeats,
        "steps": found,
    }


def _step_seconds(profile: Profile, name: str, batch_size: int, device: torch.device, repeats: int) -> float:
    """Of what ``fit`` takes for many batches, less what it takes for few: preparations count in both."""
    data = profile.data
    seed = derive_seed(profile.seed, "budget", name)
    few, many = 4, 4 + repeats
    mean, std = [0.5] * data.channels, [0.25] * data.channels
    form = {**profile.zoo.network(name), "in_channels": data.channels, "num_classes": CLASSES}
    model = build_classifier(name, **form, mean=mean, std=std, seed=seed).to(device)
    generator = torch.Generator(device).manual_seed(seed)
    shape = (many * batch_size, data.channels, data.image_size, data.image_size)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator, device=device)
    labels = torch.randint(CLASSES, (len(images),), generator=generator, device=device)
    config = TrainingConfig(1, batch_size, 1e-3)

    def train(batches: int) -> float:
        count = batches * batch_size
        started = time.perf_counter()
        fit(
            model,
            images[:count],
            labels[:count],
            config,
            seed=seed,
            augment=Augment(data.padding, data.flip),
            precision=profile.zoo.precision,
        )
        return time.perf_counter() - started

    train(few)
    return max(train(many) - train(few), 1e-9) / repeats


def _seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median of ``repeats`` calls after three to warm up, each waited for."""

    def timed() -> float:
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    return statistics.median([timed() for _ in range(repeats + 3)][3:])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="cifar10")
    parser.add_argument("--measure", action="store_true", help="Time this machine, too.")
    parser.add_argument("--repeats", type=int, default=20, help="Steps and products that are timed.")
    arguments = parser.parse_args()
    profile = load_profile(ROOT / "params.yaml", arguments.profile)
    recorded = ROOT / "results" / f"{profile.name}.json"
    sizes = read_json(recorded)["images"] if recorded.exists() else CIFAR_SIZES
    cost = networks(profile)
    plan = ZooPlan(profile, data={})  # what is counted depends on no image
    facts = {
        "what": f"multiply-accumulates and moved numbers of the profile {profile.name}",
        "images": sizes,
        "epochs": {name: plan.training(name).epochs for name in profile.zoo.architectures},
        "networks": cost,
        "zoo": zoo(plan, sizes, cost),
        **gan_and_latents(plan, cost),
        "machine": measure(plan, cost, arguments.repeats) if arguments.measure else ASSUMED,
        "versions": versions(),
        "commit": git_commit(ROOT),
    }
    write_json(ROOT / "results" / f"budget-{profile.name}.json", facts)
