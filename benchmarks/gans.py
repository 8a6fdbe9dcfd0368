"""Each GAN at its published size on CIFAR-10: seconds a step and peak memory: ``python benchmarks/gans.py``.

Each trains in a process of its own on images of the Parquet file ``--data``; ``--steps 200`` is the full record.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def train(name: str, steps: int, precision: str, threads: int, data: Path, images: int) -> None:
    """Print the seconds of each step of one GAN, and its peak memory."""
    from nf.core.threads import configure_math_libraries

    configure_math_libraries()
    from dataclasses import replace

    import torch

    from nf.core.config import SourceConfig, load_profile
    from nf.core.sections import parse_section
    from nf.data import prepare_splits
    from nf.gan import GANS, ImageShape
    from nf.gan.training import Training

    torch.set_num_threads(threads)
    profile = load_profile(ROOT / "params.yaml", "cifar10")
    source = SourceConfig("parquet", train=str(data), images=images)
    splits = prepare_splits(replace(profile.data, source=source, knockoff=source), seed=profile.seed)
    definition = GANS[name]
    config = replace(parse_section(definition.config, profile.section("gans", name), name), precision=precision)
    shape = ImageShape(32, 3, splits.num_classes if definition.conditional else 0)
    own = splits["A"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    training = Training(
        definition, config, shape, torch.from_numpy(own.images), torch.from_numpy(own.labels), profile.seed, "cpu"
    )
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        training.advance()
        seconds.append(time.perf_counter() - started)
    losses = training.take_losses()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    networks = {"generator": training.game.generator, "discriminator": training.game.discriminator}
    print(
        json.dumps(
            {
                "seconds": seconds,
                "losses": {key: round(value, 4) for key, value in losses.items()},
                "peak_mib": round(peak / 1024),
                "before_mib": round(before / 1024),
                "batch_size": config.batch_size,
                "d_steps": config.d_steps,
                "parameters": {role: sum(p.numel() for p in net.parameters()) for role, net in networks.items()},
            }
        )
    )


def record(arguments: argparse.Namespace) -> None:
    """Train all that are asked for, one after another; the record is written after each."""
    from nf.core.files import write_json
    from nf.gan import GANS
    from nf.stages.facts import git_commit, machine, versions

    gans = {}
    for name in arguments.gans or GANS:
        command = [sys.executable, __file__, "--gan", name, "--steps", str(arguments.steps)]
        command += ["--precision", arguments.precision, "--threads", str(arguments.threads)]
        command += ["--data", str(arguments.data), "--images", str(arguments.images)]
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        measured = found.pop("seconds")
        seconds = measured[1:] or measured  # the first step warms up
        gans[name] = {
            "n": len(seconds),
            "median_seconds": round(statistics.median(seconds), 3),
            "std_seconds": round(statistics.stdev(seconds), 3) if len(seconds) > 1 else None,
            **found,
        }
        print(name, gans[name], flush=True)
        write_json(
            arguments.record,
            {
                "what": "seconds a step (all updates of D and one of G) and peak memory of the process, 3x32x32, CPU",
                "steps": arguments.steps,
                "steps_asked": 200,
                "precision": arguments.precision,
                "threads": arguments.threads,
                "images": arguments.images,
                "note": arguments.note,
                "gans": gans,
                "machine": machine(),
                "versions": versions(),
                "commit": git_commit(ROOT),
            },
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, required=True, help="Parquet file of the training images.")
    parser.add_argument("--images", type=int, default=2_000, help="How many to read; a step takes as long with more.")
    parser.add_argument("--gans", nargs="*", help="Only these.")
    parser.add_argument("--note", default="")
    parser.add_argument("--record", type=Path, default=ROOT / "results" / "gans-cifar10.json")
    parser.add_argument("--gan", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.gan:
        train(chosen.gan, chosen.steps, chosen.precision, chosen.threads, chosen.data, chosen.images)
    else:
        record(chosen)
