"""Write the tables of README and docs from the records in ``results/``: ``python benchmarks/tables.py``.

Each table stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``. ``--check`` writes nothing and fails
where a table is not what its record says.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from nf.report.names import gan_name
from nf.verification.proportions import Proportion

ROOT = Path(__file__).resolve().parent.parent
PAPER_ARUC = 0.9112


def load(name: str) -> dict | None:
    """The record ``results/<name>.json``, if there is one."""
    path = ROOT / "results" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def digits() -> str:
    """The default run."""
    run = load("digits")
    if run is None:
        return "No run of this profile has been recorded yet."
    found = run["schemes"]["naturalfinger"]
    minutes = sum(run["seconds"].values()) / 60
    lines = [
        "| digits, one run | |",
        "|---|---|",
        *_figures(found),
        f"| GAN samples that the source model reads as the digit they were made for | {_percent(run, 'agreement')} |",
        f"| accuracy of the 15 architectures on the test half, least / mean | {_accuracies(run)} |",
        f"| time of all stages | {minutes:.1f} minutes ({run['machine']}) |",
    ]
    if speed := load("zoo-build"):
        lines.append(
            f"| building the zoo, against a plain loop over the same models | {speed['ratio']:.1f} times as fast |"
        )
    if speed := load("latent-optimisation"):
        lines.append(f"| optimising latents, against a plain loop at equal work | {speed['ratio']:.1f} times as fast |")
    return "\n".join(lines)


def cifar10() -> str:
    """The paper's setting, or the cut-down trial of it, or the command that fills the place."""
    run, trial = load("cifar10"), load("cifar10-trial")
    parts = []
    if run is None:
        parts.append(
            "No full-width run has been recorded yet: `dvc exp run -S profile=cifar10` on a machine with a GPU, then "
            "`python benchmarks/record.py --profile cifar10`, fills this place."
        )
    else:
        found = run["schemes"]["naturalfinger"]
        parts.append(
            "\n".join(["| CIFAR-10, one run | |", "|---|---|", *_figures(found), f"| paper's ARUC | {PAPER_ARUC} |"])
        )
    if trial is not None:
        found = trial["schemes"]["naturalfinger"]
        header = f"| CIFAR-10 images, cut down: {trial['note']} | |"
        parts.append("\n".join([header, "|---|---|", *_figures(found)]))
    return "\n\n".join(parts)


def _figures(found: dict) -> list[str]:
    wrong = found["at_threshold"]
    accused = Proportion(wrong["false_positives"], wrong["negatives"])
    missed = Proportion(wrong["false_negatives"], wrong["positives"])
    level = f"{found['confidence']:.0%} interval"
    return [
        f"| ARUC | {_interval(found, 'aruc')} ({level}) |",
        f"| area under the ROC curve | {_interval(found, 'roc_auc')} |",
        f"| thieves recognised if no honest model may be accused | {_interval(found, 'tpr_at_fpr_0')} |",
        f"| honest models accused at the threshold {found['threshold']:.2f} | {_share(accused)} |",
        f"| thieves missed at it | {_share(missed)} |",
    ]


def _interval(found: dict, key: str) -> str:
    return f"{found[key]:.3f}, {found[f'{key}_low']:.3f} to {found[f'{key}_high']:.3f}"


def _share(rate: Proportion) -> str:
    low, high = rate.interval()
    return f"{rate.count} of {rate.total} ({low:.1%} to {high:.1%})"


def _percent(run: dict, key: str) -> str:
    return f"{run['gans']['sagan'][key]:.1%}"


def _accuracies(run: dict) -> str:
    return f"{run['zoo']['scratch_accuracy_min']:.1%} / {run['zoo']['scratch_accuracy_mean']:.1%}"


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
    """What a step of each GAN takes at its published size."""
    run = load("gans-cifar10")
    if run is None:
        return "Nothing has been recorded yet: `python benchmarks/gans.py --data FILE` fills this place."
    lines = [
        "| GAN | parameters of G / D, million | batch | seconds a step | peak memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for name, found in run["gans"].items():
        size = " / ".join(f"{found['parameters'][role] / 1e6:.1f}" for role in ("generator", "discriminator"))
        lines.append(
            f"| {gan_name(name)} | {size} | {found['batch_size']} | {found['median_seconds']:.1f} | "
            f"{found['peak_mib']:,} |"
        )
    how = f"{run['steps']} of {run['steps_asked']} steps, {run['precision']}, {run['threads']} thread, {run['machine']}"
    return "\n".join([*lines, "", f"{how}; {run['note']}."])


PAGES = (ROOT / "README.md", ROOT / "docs" / "gans.md")
TABLES = {"digits": digits, "cifar10": cifar10, "gans-digits": gans_digits, "gans-cifar10": gans_cifar10}


def rendered(text: str) -> str:
    """``text`` with every table as its record says."""
    for name, table in TABLES.items():
        start, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
        text = re.sub(f"{start}.*?{end}", f"{start}\n{table()}\n{end}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for page in PAGES:
        before = page.read_text()
        after = rendered(before)
        if check and before != after:
            sys.exit(f"{page.name} differs from results/: run `python benchmarks/tables.py`")
        if not check:
            page.write_text(after)
