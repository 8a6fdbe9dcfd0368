"""Each GAN at 32x32 on CIFAR-10: seconds a step and peak memory: ``python -m benchmarks.gans --data FILE``.

Memory is that of the process, with ``--device cuda`` what tensors take on the GPU.

Each trains in a process of its own on images of the Parquet file. The record holds one run per settings; a GAN that
its run already holds is not trained again.
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


# The first steps choose kernels, and on a GPU record the updates.
WARM_UP = 4
SETTINGS = ("width", "steps", "batch_size", "precision", "threads", "images", "device")
"""Options that make a run what it is."""


def train(name: str, options: argparse.Namespace) -> None:
    """Print the seconds of each step of one GAN, and its peak memory."""
    from nf.core.threads import configure_math_libraries

    configure_math_libraries()
    from dataclasses import replace

    import torch

    from nf.core.config import SourceConfig, load_profile
    from nf.core.sections import parse_section
    from nf.data import prepare_splits
    from nf.gan import GANS, ImageShape, Training

    torch.set_num_threads(options.threads)
    profile = load_profile(ROOT / "params.yaml", "cifar10")
    source = SourceConfig("parquet", train=str(options.data), images=options.images)
    splits = prepare_splits(replace(profile.data, source=source, knockoff=source), seed=profile.seed)
    definition = GANS[name]
    config = parse_section(definition.config, profile.section("gans", name), name)
    config = replace(
        config,
        precision=options.precision,
        batch_size=options.batch_size,
        generator_channels=round(config.generator_channels * options.width),
        discriminator_channels=round(config.discriminator_channels * options.width),
    )
    shape = ImageShape(32, 3, splits.num_classes if definition.conditional else 0)
    own = splits["A"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    images, labels = torch.from_numpy(own.images), torch.from_numpy(own.labels)
    training = Training(definition, config, shape, images, labels, profile.seed, options.device)
    on_gpu = options.device == "cuda"
    seconds = []
    with training.running():
        for _ in range(options.steps):
            started = time.perf_counter()
            training.advance()
            if on_gpu:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    losses = training.take_losses()
    peak = torch.cuda.max_memory_allocated() / 1024 if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    networks = {"generator": training.pair.generator, "discriminator": training.pair.discriminator}
    print(
        json.dumps(
            {
                "seconds": seconds,
                "losses": {key: round(value, 4) for key, value in losses.items()},
                "peak_mib": round(peak / 1024),
                "before_mib": 0 if on_gpu else round(before / 1024),
                "d_steps": config.d_steps,
                "parameters": {role: sum(p.numel() for p in net.parameters()) for role, net in networks.items()},
            }
        )
    )


def record(options: argparse.Namespace) -> None:
    """Train all that are asked for, one after another; the record is written after each."""
    from nf.core.files import read_json, write_json
    from nf.gan import GANS
    from nf.stages.provenance import git_commit, machine, versions

    settings = {key: getattr(options, key) for key in SETTINGS} | {"machine": machine(), "versions": versions()}
    runs = read_json(options.record)["runs"] if options.record.is_file() else []
    run = next((run for run in runs if settings.items() <= run.items()), None)
    if run is None:
        run = {**settings, "gans": {}}
        runs.append(run)
    run |= {"note": options.note, "commit": git_commit(ROOT)}
    for name in options.gans or GANS:
        if name in run["gans"]:
            continue
        command = [sys.executable, "-m", "benchmarks.gans", "--gan", name, "--data", str(options.data.resolve())]
        for key in SETTINGS:
            command += [f"--{key.replace('_', '-')}", str(settings[key])]
        found = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout)
        measured = found.pop("seconds")
        seconds = measured[WARM_UP:] or measured[1:] or measured
        run["gans"][name] = {
            "n": len(seconds),
            "median_seconds": round(statistics.median(seconds), 3),
            "std_seconds": round(statistics.stdev(seconds), 3) if len(seconds) > 1 else None,
            **found,
        }
        print(name, run["gans"][name], flush=True)
        what = "seconds a step (all updates of D and one of G) and peak memory of the process, 3x32x32"
        write_json(options.record, {"what": what, "runs": runs})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=float, default=1.0, help="Of the networks, as a share of the published one.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--data", type=Path, required=True, help="Parquet file of the training images.")
    parser.add_argument("--images", type=int, default=2_000, help="How many to read; a step takes as long with more.")
    parser.add_argument("--batch-size", type=int, default=64, help="64 is the published one.")
    parser.add_argument("--gans", nargs="*", help="Only these.")
    parser.add_argument("--note", default="")
    parser.add_argument("--record", type=Path, default=ROOT / "results" / "gans-cifar10.json")
    parser.add_argument("--gan", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.gan:
        train(chosen.gan, chosen)
    else:
        record(chosen)
