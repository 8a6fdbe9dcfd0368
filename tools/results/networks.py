"""Tables of what models and GANs cost and how good they get."""

from collections import Counter
from collections.abc import Iterable

from nf.core.architectures import DISPLAY_NAMES
from nf.models import FULL_SIZE
from nf.report import gan_name
from tools.results.records import Record, load


def gans_digits() -> str:
    """Quality of the GANs at digits size."""
    run = load("gans-digits")
    if run is None:
        return "No GANs of this profile have been recorded yet."
    shares = ("agreement", "coverage", "entropy", "precision", "recall")
    lines = [
        f"| GAN | steps | parameters of G | Fréchet (`frechet_resnet18`) | {' | '.join(shares)} |",
        "|---|---|---|---|" + "---|" * len(shares),
    ]
    for name, found in run["gans"].items():
        cells = [f"{found[key]:.3f}" if key in found else "none" for key in shares]
        size = f"{found['parameters']['generator']:,}"
        lines.append(
            f"| {gan_name(name)} | {found['steps']} | {size} | {found['frechet_resnet18']:.2f} | {' | '.join(cells)} |"
        )
    return "\n".join([*lines, "", f"{run['n']['runs']} run each, {run['n']['samples']} samples. {run['note']}"])


def gans_cifar10() -> str:
    """What a step of each GAN takes at 32x32, at its published width and narrower."""
    record = load("gans-cifar10")
    if record is None:
        return "Nothing has been recorded yet: `python -m benchmarks.gans --data FILE` fills this place."
    lines = [
        "| GAN | width | parameters of G / D, million | batch | steps | seconds a step | peak memory, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in record["runs"]:
        for name, found in run["gans"].items():
            size = " / ".join(f"{found['parameters'][role] / 1e6:.2f}" for role in ("generator", "discriminator"))
            lines.append(
                f"| {gan_name(name)} | {run['width']:g} | {size} | {run['batch_size']} | {run['steps']} | "
                f"{found['median_seconds']:.2f} | {found['peak_mib']:,} |"
            )
    run = record["runs"][-1]
    how = f"One run each, {run['precision']}, {run['threads']} thread, {run['machine']}"
    return "\n".join([*lines, "", f"{how}; {run['note']}."])


def costs(profile: str) -> str:
    """What the work of ``profile`` costs by architecture, and how much of a machine it used where that was measured."""
    record = load(f"budget-{profile}")
    if record is None:
        return f"Nothing has been recorded yet: `python -m benchmarks.macs --profile {profile}` fills this place."
    device, zoo = record["machine"], record["zoo"]
    steps = device.get("steps")
    measured = " batch | step, ms | share of the matrix product |" if steps else ""
    lines = [
        "| architecture | MMAC an image | epochs | models | TFLOP | share | seconds by arithmetic "
        f"| by traffic, layers joined / each by itself |{measured}",
        "|---|---|---|---|---|---|---|---|" + "---|" * measured.count("|"),
    ]
    total = _summed(zoo["by_architecture"].values())
    for name, row in sorted(zoo["by_architecture"].items(), key=lambda item: -item[1]["macs"]):
        cells = [
            DISPLAY_NAMES[name],
            f"{record['networks'][name]['macs'] / 1e6:.1f}",
            str(record["epochs"][name]),
            *_costs(row, total, device),
        ]
        if steps:
            step = steps[name]
            cells += [str(step["batch"]), f"{step['milliseconds']:.1f}", f"{step['share']:.0%}"]
        lines.append(f"| {' | '.join(cells)} |")
    blank = " |" * measured.count("|")
    lines.append(f"| **all** | | | {' | '.join(_costs(total, total, device))} |{blank}")
    rest = {"training the GAN": record["gan_macs"], "moving 100 latents to the end": 100 * record["latent_macs"]}
    lines += ["", "| the rest | TFLOP | seconds by arithmetic |", "|---|---|---|"]
    for name, macs in rest.items():
        lines.append(f"| {name} | {_tflop(macs)} | {2 * macs / device['tflops'] / 1e12:,.1f} |")
    attacks = sorted(zoo["by_attack"].items(), key=lambda item: -item[1]["macs"])
    shares = ", ".join(f"{name} {row['macs'] / total['macs']:.1%} ({row['models']} models)" for name, row in attacks)
    rates = f"{device['tflops']:.3g} TFLOP/s, {device['terabytes_per_second']:.3g} TB/s"
    return "\n".join([*lines, "", f"{device['device']}: {rates}. By attack: {shares}."])


def _costs(row: Record, total: Record, device: Record) -> list[str]:
    rate = 1e12 * device["terabytes_per_second"] / device["bytes_per_number"]
    traffic = (row[key] / rate for key in ("step_numbers_joined", "step_numbers"))
    return [
        str(row["models"]),
        _tflop(row["macs"]),
        f"{row['macs'] / total['macs']:.1%}",
        f"{2 * row['macs'] / device['tflops'] / 1e12:,.0f}",
        " / ".join(f"{seconds:,.0f}" for seconds in traffic),
    ]


def _tflop(macs: float) -> str:
    tflop = 2 * macs / 1e12
    return f"{tflop:,.0f}" if tflop >= 100 else f"{tflop:.2f}"


def _summed(rows: Iterable[Record]) -> Record:
    total = Counter[str]()
    for row in rows:
        total.update(row)
    return dict(total)


def cifar10_models() -> str:
    """How accurate single models of the paper's setting got, by schedule."""
    record = load("cifar10-models")
    if record is None:
        return "Nothing has been recorded yet: `python -m experiments.cifar_models source` fills this place."
    lines = [
        "| model | width | stem | epochs | batch | learning rate | JPEG again | test accuracy | minutes | on |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    order = ("model", "width", "full_size", "epochs", "batch_size", "learning_rate")
    for row in sorted(
        record["models"],
        key=lambda row: [*(row[key] for key in order), -(row["compressed_again"] or 100), row["device"]],
    ):
        network = row["model"].removeprefix("scratch-") if "-" in row["model"] else "resnet18"
        stem = "full size" if row["full_size"] else "halves" if network in FULL_SIZE else "as ever"
        again = f"quality {row['compressed_again']}" if row["compressed_again"] else "no"
        cells = [f"`{row['model']}`", row["width"], stem, *(row[key] for key in order[3:]), again]
        minutes = row["seconds"] / 60
        cells += [f"{row['test_accuracy']:.1%}", f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.1f}"]
        cells.append("CPU" if "cores" in row["device"] else "GPU")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    files = ", ".join(sorted({f"{row['images']:,} {row['files']}" for row in record["models"]}))
    devices = ", ".join(sorted({row["device"] for row in record["models"]}))
    return "\n".join([*lines, "", f"{files}; {devices}; one run each."])
