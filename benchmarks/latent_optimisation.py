"""Optimising latents against a plain loop at equal work, in one run: ``python -m benchmarks.latent_optimisation``.

Both sides move the same latents for as many epochs through the same sixteen networks, untrained, under the same
transforms: 160 through those of the digits zoo on the CPU; with ``--device cuda`` 400, as many as the profile
``cifar10`` moves at once, through those of full width on 32x32 colour images. The plain loop is what one writes first:
one batch of 80, the paper's, after another, networks stay as they are built, all weights collect gradients, the loss of
each network is asked for as a number, and libraries keep their defaults. On a GPU it also asks for deterministic
kernels and empties the cache of memory at each update, as the authors' does; ours moves all latents in one batch there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch reads its settings as it is imported, and only one side has any
    from torch import Tensor

    from nf.fingerprints import NaturalFingerConfig, TrainingModels
    from nf.fingerprints.naturalfinger.candidates import Candidates
    from nf.gan import Gan

# This measures the insides of one step of NaturalFinger: it imports past the face of nf.fingerprints, and of nf.gan for
# an untrained generator.
ROOT = Path(__file__).resolve().parent.parent
LATENTS, BATCH = {"cpu": 160, "cuda": 400}, 80
# Epochs that are timed as one. On a GPU one of ours is over in milliseconds, and recording the networks, once for all
# epochs of a round, belongs to it.
SPAN = {"cpu": {"ours": 1, "plain": 1}, "cuda": {"ours": 50, "plain": 1}}


def make_task(device: str = "cpu") -> "tuple[Gan, TrainingModels, Candidates, NaturalFingerConfig]":
    """Generator, sixteen mixed networks, candidates and settings: the same on both sides."""
    import torch

    from nf.core.config import load_profile
    from nf.fingerprints import NaturalFingerConfig, TrainingModels
    from nf.fingerprints.naturalfinger.candidates import Candidates
    from nf.gan import Gan, ImageShape
    from nf.gan.variants.sagan import SAGAN, SaganConfig
    from nf.models import build_classifier

    profile = load_profile(ROOT / "params.yaml", "digits" if device == "cpu" else "cifar10")
    zoo, data = profile.zoo, profile.data
    names = [*zoo.architectures, zoo.source]
    form: dict[str, Any] = {
        "in_channels": data.channels,
        "num_classes": 10,
        "mean": [0.3] * data.channels,
        "std": [0.35] * data.channels,
    }
    networks = [
        build_classifier(name, seed=seed, **form, **zoo.network(name)).eval().to(device)
        for seed, name in enumerate(names)
    ]
    ids = tuple(f"{seed}-{name}" for seed, name in enumerate(names))
    models = TrainingModels(networks[-1], tuple(networks[::2]), tuple(networks[1::2]), ids[::2], ids[1::2])
    narrow: dict[str, Any] = {"generator_channels": 32, "discriminator_channels": 32} if device == "cpu" else {}
    config, shape = SaganConfig(**narrow), ImageShape(data.image_size, data.channels, 10)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        players = (SAGAN.generator(config, shape).to(device), SAGAN.discriminator(config, shape).to(device))
        gan = Gan(SAGAN, config, shape, *players)
    latents, classes = gan.sample_latents(LATENTS[device], torch.Generator().manual_seed(0))
    settings = NaturalFingerConfig(transforms=("identity", "noise", "translate", "shear"), batch_size=BATCH)
    return gan, models, Candidates(latents, classes, classes, (classes + 1) % 10), settings


def plain_optimise(
    candidates: "Candidates", gan: "Gan", models: "TrainingModels", config: "NaturalFingerConfig", *, seed: int
) -> "Tensor":
    """The loop that one writes first; same signature as ``nf.fingerprints.naturalfinger.optimise.optimise``."""
    import torch

    return torch.cat([_plain_batch(batch, gan, models, config, seed) for batch in candidates.split(config.batch_size)])


def _plain_batch(
    candidates: "Candidates", gan: "Gan", models: "TrainingModels", config: "NaturalFingerConfig", seed: int
) -> "Tensor":
    import torch

    from nf.fingerprints.naturalfinger.losses import cw_loss
    from nf.fingerprints.transforms import random_transform

    generator = torch.Generator().manual_seed(seed)
    latents = candidates.latents.clone().requires_grad_(True)
    optimizer = torch.optim.SGD([latents], lr=config.learning_rate, momentum=config.momentum, nesterov=True)
    targets = (candidates.positive_labels, candidates.negative_labels)
    for _ in range(config.epochs):
        pools = [
            [pool[i] for i in torch.randperm(len(pool), generator=generator)]
            for pool in (models.positives, models.negatives)
        ]
        for first in range(0, len(models.positives), config.chunk):
            images = gan.generate(latents, candidates.classes)
            seen = random_transform(images, config.transforms, generator, config.strength)
            total = torch.zeros((), device=images.device)
            for pool, labels in zip(pools, targets, strict=True):
                for network in pool[first : first + config.chunk]:
                    loss = cw_loss(network(seen), labels, confidence=config.confidence).mean() / config.chunk
                    total = total + loss
                    loss.item()
            if images.is_cuda:
                torch.cuda.empty_cache()
            if config.discriminator != "none":
                naturalness = gan.naturalness_loss(gan.discriminate(images, candidates.classes), config.discriminator)
                total = total + config.discriminator_weight * naturalness.mean()
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    return latents.detach()


def time_side(side: str, epochs: int, device: str) -> None:
    """Print the seconds of ``epochs`` epochs, each timed by itself after one to warm up."""
    if side == "ours":
        from nf.core.threads import configure_math_libraries

        configure_math_libraries()
    from dataclasses import replace

    import torch

    torch.backends.cudnn.deterministic = side == "plain"
    gan, models, candidates, config = make_task(device)
    span = SPAN[device][side]
    config = replace(config, epochs=1)
    if side == "ours" and device == "cuda":
        config = replace(config, batch_size=LATENTS[device])
    optimise: Any = plain_optimise
    if side == "ours":
        from nf.fingerprints.naturalfinger.optimise import optimise as ours
        from nf.models import freeze

        optimise, models = ours, models.map(freeze)
    else:
        for player in (gan.generator, gan.require_discriminator()):
            player.requires_grad_(True)
    optimise(candidates, gan, models, config, seed=0)
    config = replace(config, epochs=span)
    seconds = []
    for epoch in range(epochs):
        started = time.perf_counter()
        optimise(candidates, gan, models, config, seed=epoch).cpu()  # waits for the device
        seconds.append((time.perf_counter() - started) / span)
    print(json.dumps(seconds))


def compare(rounds: int, epochs: int, device: str, record: Path) -> None:
    """Time both sides in turn, in processes of their own, and write the record."""
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(rounds):
        for side, measured in seconds.items():
            command = [sys.executable, "-m", "benchmarks.latent_optimisation", "--side", side]
            command += ["--epochs", str(epochs), "--device", device]
            result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            measured += json.loads(result.stdout)
            print(side, " ".join(f"{value:.3f}" for value in measured[-epochs:]), flush=True)
    from nf.core.files import write_json
    from nf.stages.provenance import git_commit, machine, versions

    sides = {
        side: {
            "n": len(measured),
            "mean_seconds": round(statistics.mean(measured), 4),
            "std_seconds": round(statistics.stdev(measured), 4),
            "median_seconds": round(statistics.median(measured), 4),
        }
        for side, measured in seconds.items()
    }
    # Of medians: a neighbour on the machine that wakes up once would decide the ratio of means.
    ratio = sides["plain"]["median_seconds"] / sides["ours"]["median_seconds"]
    size = "1x16x16" if device == "cpu" else "3x32x32, full width, on a GPU"
    load = f"{LATENTS[device]} latents through 16 networks"
    what = f"seconds per epoch of latent optimisation, {load} at {size}: plain loop over ours"
    facts = {"machine": machine(), "versions": versions(), "commit": git_commit(ROOT), "epochs_at_once": SPAN[device]}
    if device == "cuda":
        import torch

        facts["device"] = torch.cuda.get_device_name()
    write_json(record, {"what": what, "ratio": round(ratio, 2), **sides, **facts})
    print(f"ratio {ratio:.2f}, written to {record}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--record", type=Path, help="[default: results/latent-optimisation.json, or -cuda.json]")
    parser.add_argument("--side", choices=["ours", "plain"])
    arguments = parser.parse_args()
    if arguments.side:
        time_side(arguments.side, arguments.epochs, arguments.device)
    else:
        suffix = "" if arguments.device == "cpu" else f"-{arguments.device}"
        record = arguments.record or ROOT / "results" / f"latent-optimisation{suffix}.json"
        compare(arguments.rounds, arguments.epochs, arguments.device, record)
