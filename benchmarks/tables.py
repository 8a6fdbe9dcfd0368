"""Write the tables of README and docs from the records in ``results/``: ``python benchmarks/tables.py``.

Each table stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``. ``--check`` writes nothing and fails
where a table is not what its record says.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from statistics import fmean

from nf.core.architectures import DISPLAY_NAMES
from nf.core.proportions import Proportion
from nf.models import FULL_SIZE
from nf.report.names import DETECTORS, gan_name, scheme_name
from nf.report.paper import PAPER_ARUC, PAPER_DETECTION, PAPER_PROFILES
from nf.report.variants import Spread, VariantRow, ablation_rows, variant_rows

ROOT = Path(__file__).resolve().parent.parent
_SHORT_PIPELINE = {"prepare", "zoo", "gan@sagan", "export", "report"}
_SHORT_PIPELINE |= {f"{stage}@naturalfinger" for stage in ("fingerprint", "score", "evaluate")}
"""Stages of `make repro`."""


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
    minutes = sum(value for stage, value in run["seconds"].items() if stage in _SHORT_PIPELINE) / 60
    lines = [
        "| digits, one run | |",
        "|---|---|",
        *_figures(found),
        f"| GAN samples that the source model reads as the digit they were made for | {_percent(run, 'agreement')} |",
        f"| accuracy of the 15 architectures on the test half, least / mean | {_accuracies(run)} |",
        f"| stages of `make repro`, of which two run at once, added up | {minutes:.1f} minutes ({run['machine']}) |",
    ]
    if speed := load("zoo-build"):
        lines.append(
            f"| building the zoo, against a plain loop over the same models | {speed['ratio']:.2f} times as fast |"
        )
    if speed := load("latent-optimisation"):
        lines.append(f"| optimising latents, against a plain loop at equal work | {speed['ratio']:.2f} times as fast |")
    if repeat := load("digits-repeat"):
        lines += ["", _repeated(repeat)]
    return "\n".join(lines)


def _repeated(run: dict) -> str:
    """How far figures move where only the kind of processor is another."""
    found = run["schemes"]["naturalfinger"]
    wrong = found["at_threshold"]
    return (
        f"Equal work gives equal bytes on processors of one kind. On another ({run['note']}) all models come out "
        f"otherwise, and the same profile had ARUC {_interval(found, 'aruc')}, AUC "
        f"{found['roc_auc']:.3f}, TPR at FPR 0 {found['tpr_at_fpr_0']:.3f}, "
        f"{wrong['positives'] - wrong['false_negatives']} of {wrong['positives']} stolen models found, "
        f"{wrong['false_positives']} of {wrong['negatives']} honest ones accused."
    )


def schemes_digits() -> str:
    """All schemes on the default profile."""
    run = load("digits")
    if run is None or len(run["schemes"]) == 1:
        return (
            "No comparison of this profile has been recorded yet: `make compare`, then `python benchmarks/record.py`."
        )
    return _schemes(run)


def schemes_digits_repeat() -> str:
    """All schemes on the default profile once more, on a processor of another kind."""
    run = load("digits-repeat")
    return _schemes(run) if run else "No second run of this profile has been recorded yet."


def _schemes(run: dict, *, paper: bool = False) -> str:
    """All schemes of a run, the highest ARUC first; columns of twins and detection only where they were measured."""
    twins = any("twin" in found["plus"] for found in run["schemes"].values())
    header = ["scheme", "ARUC (95 % interval)", *(["paper's ARUC"] if paper else []), "AUC", "TPR at FPR 0"]
    header += ["stolen found", "honest accused"]
    header += [*(["twins accused"] if twins else []), *(["queries detected"] if run["detection"] else [])]
    header += [*(["paper's"] if paper and run["detection"] else [])]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for name, found in sorted(run["schemes"].items(), key=lambda item: -item[1]["aruc"]):
        wrong = found["at_threshold"]
        cells = [
            scheme_name(name),
            _interval(found, "aruc"),
            *([_stated(PAPER_ARUC.get(name), ".3f")] if paper else []),
            f"{found['roc_auc']:.3f}",
            f"{found['tpr_at_fpr_0']:.3f}",
            f"{wrong['positives'] - wrong['false_negatives']} of {wrong['positives']}",
            f"{wrong['false_positives']} of {wrong['negatives']}",
        ]
        if twins:
            accused = found["plus"].get("twin")
            cells.append(f"{accused['called_stolen']} of {accused['models']}" if accused else "not measured")
        if run["detection"]:
            judged = run["detection"].get(name)
            cells.append(f"{judged['naive']['detection_rate']:.1%}" if judged else "not measured")
            cells += [_stated(PAPER_DETECTION.get(name), ".1%")] if paper else []
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def schemes_cifar10_small_earlier() -> str:
    """All schemes on ``cifar10-small`` before survivors were ranked by steadiness, on models of another run."""
    run = load("cifar10-small-earlier")
    return _schemes(run, paper=True) if run else "No earlier run of this profile has been recorded."


def detection(profile: str) -> str:
    """What each kind of detector finds of each scheme's queries."""
    run = load(profile)
    if run is None or not run["detection"]:
        return "No detectors of this profile have been recorded yet."
    first = next(iter(run["detection"].values()))
    paper = profile in PAPER_PROFILES
    header = ["scheme", *DETECTORS.values(), *([f"{DETECTORS['naive']} in the paper"] if paper else [])]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for name, found in run["detection"].items():
        rates = [f"{found[kind]['detection_rate']:.1%} ± {found[kind]['detection_rate_std']:.1%}" for kind in DETECTORS]
        stated = [_stated(PAPER_DETECTION.get(name), ".1%")] if paper else []
        lines.append(f"| {' | '.join([scheme_name(name), *rates, *stated])} |")
    shared = {**first["naive"]["accuracy"], **first["other_gan"]["accuracy"]}
    right = ", ".join(f"{kind} {share:.1%}" for kind, share in shared.items() if kind != "normal")
    normal = " and ".join(f"{first[kind]['accuracy']['normal']:.1%}" for kind in ("naive", "other_gan"))
    runs = len(first["naive"]["runs"])
    return "\n".join(
        [
            *lines,
            "",
            f"Mean ± standard deviation over {runs} detectors that learned from what heads the column. Of images held "
            f"out they know: {right}, normal {normal}.",
        ]
    )


def variants(profile: str, record: str | None = None) -> str:
    """The ablation and the remedy; ``record`` if it is not called after the profile."""
    run = load(record or profile)
    rows = variant_rows(run["variants"], confidence=0.95) if run and run.get("variants") else []
    if not rows:
        return "No variants of this profile have been recorded yet: `make compare`, then `python benchmarks/record.py`."
    paper = profile in PAPER_PROFILES
    header = ["variant", "adversarial label", "transforms", "discriminator", "seeds", "ARUC"]
    header += [*(["paper's ARUC"] if paper else []), "ARUC against twins", "honest accused", "twins accused"]
    header += ["stolen missed"]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for row in rows:
        parts = [row.name, _on(row.label), _on(row.transform), row.discriminator, _seeds(row)]
        shares = [_share_or_none(value) for value in (row.accused, row.twins_accused, row.missed)]
        arucs = [_spread(row.aruc), *([_stated(row.paper, ".2f")] if paper else []), _spread(row.aruc_twins)]
        lines.append(f"| {' | '.join([*parts, *arucs, *shares])} |")
    first = next(record for record in run["variants"] if "metrics" in record)
    size = f"{first['queries']} queries from {first['training_models']} training models"
    if any(row.name == "twins" for row in rows):
        size += "; the variant `twins` has twins on top"
    spread = "Mean over seeds, 95 % interval" if any(row.seeds > 1 for row in rows) else "One seed"
    return "\n".join([*lines, "", f"{size}. {spread}."])


def _on(part: bool) -> str:
    return "on" if part else "off"


def _seeds(row: VariantRow) -> str:
    return f"{row.seeds}" + (f" ({row.short} short of queries)" if row.short else "")


def _spread(value: Spread | None) -> str:
    if value is None:
        return "none"
    return f"{value.mean:.3f}" + ("" if value.low is None else f", {value.low:.3f} to {value.high:.3f}")


def _share_or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def cifar10() -> str:
    """The paper's setting beside the paper's numbers, or the command that brings it; ``-brief`` and ``-small``."""
    run, brief, small = load("cifar10"), load("cifar10-brief"), load("cifar10-small")
    parts = [_beside_the_paper(run), *_ablation_beside_the_paper(run), _provenance(run)] if run else []
    if brief is not None:
        parts += [_within_minutes(brief), _schemes(brief, paper=True), *_ablation_beside_the_paper(brief)]
    if run is None:
        parts.append(
            "The whole of `cifar10` has not been run yet: `python benchmarks/gpu.py --data FOLDER --out out` on a "
            "machine with a GPU, with `out/record/cifar10.json` copied to `results/`, brings its table here."
        )
    if small is not None:
        parts += [_without_a_gpu(small), _schemes(small, paper=True)]
    return "\n\n".join(parts)


def _beside_the_paper(run: dict) -> str:
    lines = [
        "| scheme | ARUC (95 % interval) | paper's ARUC | queries detected | paper's | stolen found | honest accused |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in sorted(run["schemes"].items(), key=lambda item: -item[1]["aruc"]):
        wrong, judged = found["at_threshold"], run["detection"].get(name)
        cells = [
            _interval(found, "aruc"),
            _stated(PAPER_ARUC.get(name), ".4f"),
            f"{judged['naive']['detection_rate']:.1%}" if judged else "not measured",
            _stated(PAPER_DETECTION.get(name), ".1%"),
            f"{wrong['positives'] - wrong['false_negatives']} of {wrong['positives']}",
            _share(Proportion(wrong["false_positives"], wrong["negatives"])),
        ]
        lines.append(f"| {scheme_name(name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _within_minutes(run: dict) -> str:
    """The short run at full width."""
    ours = run["schemes"]["naturalfinger"]
    judged, gap, n = ours["at_threshold"], ours["perfect_range"], run["n"]
    unasked = [f"`{name}`" for name in run["missing"] if not name.startswith("ask-variant@")]
    left = f" Time ended before: {', '.join(unasked)}." if unasked else ""
    apart = (
        f" Every threshold between {gap['low']:.2f} and {gap['high']:.2f} would tell NaturalFinger's thieves from "
        "honest models without an error."
    )
    return (
        "The profile `cifar10-brief` has five of the architectures at full width, after eight epochs each: "
        f"{judged['positives'] + judged['negatives']} suspects under all six attacks, accurate to "
        f"{run['zoo']['scratch_accuracy_mean']:.1%} from scratch. {_images(run)} {n['runs']} run, {n['models']} "
        f"models, {n['queries']} queries a scheme, {_minutes(run)} minutes on one {run['hardware']['device']}, commit "
        f"{run['commit']}.{left}{apart if gap['width'] else ''}"
    )


def _minutes(run: dict) -> str:
    return f"{run['whole']['seconds'] / 60:.1f}"


def _query_set_seconds(seconds: dict) -> str:
    return ", ".join(f"{scheme_name(name)} {seconds[name]:.0f} s" for name in sorted(seconds))


def _without_a_gpu(run: dict) -> str:
    judged = next(iter(run["schemes"].values()))["at_threshold"]
    suspects, zoo, n = judged["positives"] + judged["negatives"], run["zoo"], run["n"]
    return (
        f"The profile `cifar10-small` needs no GPU: {suspects} suspects under all six attacks, narrow networks after a "
        f"few epochs, accurate to {zoo['scratch_accuracy_mean']:.1%} from scratch. {_images(run)} "
        f"{n['runs']} run, {n['models']} models, {n['queries']} queries a scheme, {run['machine']}."
    )


def _ablation_beside_the_paper(run: dict) -> list[str]:
    """Table 3, where variants were run: the paper's discriminator term has the published sign."""
    rows = ablation_rows(variant_rows(run["variants"], confidence=0.95))
    if not rows:
        return []
    lines = ["| variant | seeds | ARUC | paper's ARUC | honest accused |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (_seeds(row), _spread(row.aruc), _stated(row.paper, ".2f"), _share_or_none(row.accused))
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return ["\n".join(lines)]


def _provenance(run: dict) -> str:
    n, zoo = run["n"], run["zoo"]
    return (
        f"{n['runs']} run, {n['models']} models, {n['queries']} queries a scheme; accuracy on the test half "
        f"{zoo['accuracy_mean']:.1%} on average. {_images(run)} {run['hardware']['device']}, "
        f"{_minutes(run)} minutes, commit {run['commit']}."
    )


def _images(run: dict) -> str:
    files = run["source"]
    images = " and ".join(files[part]["train"] or files[part]["name"] for part in ("source", "knockoff"))
    note = f" {run['note']}" if run["note"] else ""
    return f"Images: {images}.{note}"


def _stated(value: float | None, form: str) -> str:
    return "not stated" if value is None else format(value, form)


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
    """What a step of each GAN takes at 32x32, at its published width and narrower."""
    record = load("gans-cifar10")
    if record is None:
        return "Nothing has been recorded yet: `python benchmarks/gans.py --data FILE` fills this place."
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


def budget(profile: str) -> str:
    """What the work of ``profile`` costs by architecture, and how much of a machine it used where that was measured."""
    record = load(f"budget-{profile}")
    if record is None:
        return f"Nothing has been recorded yet: `python benchmarks/budget.py --profile {profile}` fills this place."
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


def cifar10_models() -> str:
    """How accurate single models of the paper's setting got, by schedule."""
    record = load("cifar10-models")
    if record is None:
        return "Nothing has been recorded yet: `python benchmarks/cifar_models.py source` fills this place."
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
    beside = "one thread a model on the CPU, six at once on the GPU, some beside other work"
    return "\n".join([*lines, "", f"{files}; {devices}; {beside}; one run each."])


def h100() -> str:
    """What was measured on a first GPU, beside what was aimed at."""
    run, total, whole = load("h100"), load("budget-cifar10"), load("verification-cifar10")
    if not (run and total and whole):
        return "Nothing has been recorded yet."
    work = 2 * sum(row["macs"] for row in total["zoo"]["by_architecture"].values()) / 1e12
    begun, step, round_, asked = run["zoo_brief"], run["sagan"], run["latents"], run["verification"]
    sagan = " to ".join(f"{steps * step['milliseconds'] / 6e4:.1f}" for steps in (14_000, 20_000))
    before = "; ".join(f"{each['milliseconds']:.0f} with spectral norms {each['norms']}" for each in step["before"])
    rows = [
        (
            f"the zoo of `cifar10`, {work:,.0f} TFLOP",
            "20 minutes",
            "by rate, minutes: " + ", ".join(_zoo_minutes(each, work) for each in run["side_by_side"]),
        ),
        (
            f"the zoo of `cifar10-brief`, {begun['tflop']:,} TFLOP",
            "",
            f"{begun['seconds'] / 60:.1f} minutes, {begun['tflops']:.0f} TFLOP/s",
        ),
        (
            "a SAGAN of 14,000 to 20,000 steps",
            "8 minutes",
            f"{sagan} minutes at {step['milliseconds']} ms a step of five updates of D (n = {step['n']}; {before})",
        ),
        (
            f"moving {round_['latents']} latents for 1,000 epochs, a round of `cifar10`",
            "2 minutes a query set",
            f"{1000 * round_['seconds_per_epoch'] / 60:.1f} minutes by rate "
            f"(over {round_['epochs']} epochs, n = {round_['n']})",
        ),
        (
            "latents against a plain loop",
            "10 times as fast",
            f"{run['plain_loop']['ratio']:.1f} times, one network after another (n = {run['plain_loop']['ours']['n']} "
            "each)",
        ),
        ("query sets of `cifar10-brief`", "2 minutes each", _query_set_seconds(run["query_sets"])),
        (
            f"asking the {asked['suspects']} models of `cifar10-brief` 100 queries",
            "3 minutes",
            f"{min(asked['seconds']):.0f} to {max(asked['seconds']):.0f} s a scheme in {asked['processes']} processes",
        ),
        (
            f"asking the {whole['suspects']} models of `cifar10`, untrained, {whole['queries']} queries",
            "3 minutes",
            f"{' / '.join(f'{value:.0f}' for value in whole['seconds'])} s, not there but on {whole['machine']}",
        ),
    ]
    lines = ["| what | aim | measured |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    lines += ["", *_kernels(run["steps"], total), "", *_tried(run["tried"])]
    return "\n".join([*lines, "", f"One {run['device']}, torch {run['versions']['torch']}, one run each."])


def h200() -> str:
    """What ``cifar10-brief`` and latents took on a second GPU, beside what was aimed at."""
    run, latents = load("cifar10-brief"), load("latent-optimisation-cuda")
    if not (run and latents):
        return "Nothing has been recorded yet."
    spent: dict[str, dict[str, float]] = {}
    for part, costs in run["parts"].items():
        stage, _, item = part.partition("@")
        spent.setdefault(stage, {})[item] = costs["seconds"]
    busy = {part: f"{costs['utilisation']:.0f} %" for part, costs in run["parts"].items() if costs["utilisation"]}
    rows = [
        (f"the zoo of {run['n']['models']} models", "", f"{spent['zoo']['']:.0f} s, GPU busy {busy['zoo']}"),
        ("SAGAN, 5,000 steps, and its quality", "", f"{spent['gan']['sagan']:.0f} s, GPU busy {busy['gan@sagan']}"),
        ("query sets", "2 minutes each", _query_set_seconds(spent["fingerprint"])),
        ("export of all suspects to ONNX", "", f"{spent['export']['']:.0f} s, beside the GPU's work"),
        ("asking all suspects", "3 minutes", f"{_least_and_most(spent['score'])} a scheme, beside the GPU's work"),
        (
            "a second SAGAN, and six detectors for all schemes",
            "",
            f"{spent['detectors']['']:.0f} s, GPU busy {busy['detectors']}",
        ),
        ("three detectors from half of the queries", "", f"{_least_and_most(spent['detect'])} a scheme"),
        ("queries of a variant", "", _least_and_most(_variant_seconds(run))),
        (
            f"all of it, in {run['whole']['calls']} calls",
            "",
            f"{run['whole']['seconds']:.0f} s, GPU busy {run['whole']['utilisation']:.0f} %",
        ),
        (
            "latents against a plain loop",
            "10 times as fast",
            f"{latents['ratio']:.1f} times ({latents['what'].split(':')[0].split(', ', 1)[1]}; recording included, "
            f"over {latents['epochs_at_once']['ours']} epochs; n = {latents['ours']['n']} each)",
        ),
    ]
    lines = ["| what | aim | measured |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    hardware = f"One {run['hardware']['device']}, {run['machine']}, torch {run['versions']['torch']}, one run each."
    return "\n".join([*lines, "", hardware])


def _variant_seconds(run: dict) -> dict[str, float]:
    """Of each variant's last attempt, where it was not the end of time."""
    return {
        name: value
        for name, value in run["seconds"].items()
        if name.startswith("variant@") and name not in run["missing"]
    }


def _least_and_most(seconds: dict[str, float]) -> str:
    least, most = (f"{value:.0f}" for value in (min(seconds.values()), max(seconds.values())))
    return f"{least} s" if least == most else f"{least} to {most} s"


def _kernels(steps: list[dict], total: dict) -> Iterable[str]:
    """What a training step of one model alone consists of."""
    kinds = {
        "convolution": "convolutions",
        "batch_norm": "batch norm",
        "elementwise": "element by element",
        "copies": "casts and copies",
    }
    header = ["one model alone", "batch", "ms a step", "TFLOP/s", "of the matrix product", "kernels"]
    header += [f"{kind}, ms" for kind in kinds.values()]
    yield f"| {' | '.join(header)} |"
    yield "|---" * len(header) + "|"
    for each in steps:
        tflops = 6e-9 * total["networks"][each["architecture"]]["macs"] * each["batch"] / each["milliseconds"]
        cells = [
            DISPLAY_NAMES[each["architecture"]],
            each["batch"],
            f"{each['milliseconds']:.1f}",
            f"{tflops:.0f}",
            f"{tflops / total['machine']['tflops']:.0%}",
            f"{each['kernels']:,}",
            *(f"{each['kinds'][kind]:.2f}" for kind in kinds),
        ]
        yield f"| {' | '.join(map(str, cells))} |"


def _tried(trials: list[dict]) -> Iterable[str]:
    yield "| tried on one model | | batch | ms a step before | after |"
    yield "|---|---|---|---|---|"
    for each in trials:
        prepares = f", which it prepares for {each['prepares_seconds']} s" if "prepares_seconds" in each else ""
        yield (
            f"| `{each['what']}`{prepares} | {DISPLAY_NAMES[each['architecture']]} | {each['batch']} "
            f"| {each['before']:.2f} | {each['after']:.2f} |"
        )


def _zoo_minutes(rate: dict, work: float) -> str:
    return (
        f"{work / rate['tflops'] / 60:.0f} at batches of {rate['batch']} ({rate['models']} models in "
        f"{rate['processes']} processes, {rate['epochs']} epochs: {rate['tflops']:.0f} TFLOP/s)"
    )


def settings_digits() -> str:
    """How settings of NaturalFinger fare on two zoos, a row for those of a zoo and a setting."""
    record = load("settings-digits")
    if record is None:
        return "Nothing has been recorded yet: `python benchmarks/settings.py --out FOLDER` fills this place."
    groups: dict[tuple, list[dict]] = {}
    for row in record["query_sets"]:
        groups.setdefault((row["zoo"], row["setting"]), []).append(row)
    lines = [
        "| zoo | settings | ARUC | AUC | TPR at FPR 0 | stolen found | honest accused |",
        "|---|---|---|---|---|---|---|",
    ]
    for (zoo, setting), sets in groups.items():
        columns = zip(*(_query_set_cells(each) for each in sets), strict=True)
        lines.append(f"| {zoo} | {setting} | {' | '.join(' / '.join(cells) for cells in columns)} |")
    return "\n".join(lines)


def latent_steps() -> str:
    """What becomes of query sets as latents move in ever more and shorter steps, a row for each number."""
    record = load("latent-steps-cifar10-small")
    if record is None:
        return "Nothing has been recorded yet: `python benchmarks/latent_steps.py --out FOLDER` fills this place."
    lines = [
        f"| steps | learning rate | length of latents | survive the screen | found, {DETECTORS['naive']} "
        f"| found, {DETECTORS['other_gan']} | ARUC | honest accused | twins accused |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(_latent_steps_cells(row))} |" for row in record["query_sets"]]
    return "\n".join(
        [
            *lines,
            "",
            f"{record['queries']} queries from {record['training_models']} training models, one set a row, all from "
            f"the same draws; the first row is {record['samples']:,} samples. Length: distance of latents from the "
            "origin at the end, mean over all that were moved. Found: share by each detector. ARUC: 95 % interval.",
        ]
    )


def _latent_steps_cells(row: dict) -> list[str]:
    length = f"{row['length']:.1f}"
    naive, other = (" / ".join(f"{share:.0%}" for share in row["found"][kind]) for kind in ("naive", "other_gan"))
    if "changes" not in row:
        return ["none", "", length, "", naive, other, "", "", ""]
    funnel, wrong, twins = dict(row["funnel"]), row["at_threshold"], row["plus"]["twin"]
    return [
        f"{row['changes']['epochs']:,}",
        str(row["changes"]["learning_rate"]),
        length,
        f"{row['funnel'][-1][1]} of {funnel['shortlisted']}",
        naive,
        other,
        f"{row['aruc']:.3f}, {row['aruc_low']:.3f} to {row['aruc_high']:.3f}",
        f"{wrong['false_positives']} of {wrong['negatives']}",
        f"{twins['called_stolen']} of {twins['models']}",
    ]


def survivors() -> str:
    """What choosing from the survivors of the screen does, a row for each way, means over the draws."""
    record = load("survivors-cifar10-small")
    if record is None:
        return "Nothing has been recorded yet: `python benchmarks/survivors.py --out FOLDER` fills this place."
    groups: dict[tuple, list[dict]] = {}
    for row in record["query_sets"]:
        groups.setdefault((row["ranking"], row["pair_share"]), []).append(row)
    lines = [
        "| ranked by | of one pair of labels | ARUC | AUC | TPR at FPR 0 | stolen missed | honest accused |",
        "|---|---|---|---|---|---|---|",
    ]
    for (ranking, share), sets in groups.items():
        figures = [f"{fmean(each[key] for each in sets):.3f}" for key in ("aruc", "roc_auc", "tpr_at_fpr_0")]
        wrong = [each["at_threshold"] for each in sets]
        figures += [
            f"{fmean(each[error] for each in wrong):.1f} of {wrong[0][kind]}"
            for error, kind in (("false_negatives", "positives"), ("false_positives", "negatives"))
        ]
        lines.append(f"| {ranking} | {share:.1%} | {' | '.join(figures)} |")
    found = [row["funnel"][-1][1] for row in next(iter(groups.values()))]
    return "\n".join(
        [
            *lines,
            "",
            f"{record['queries']} queries out of {' / '.join(map(str, found))} survivors, from "
            f"{record['training_models']} training models; means over {len(found)} draws, which all rows share.",
        ]
    )


def _query_set_cells(row: dict) -> list[str]:
    if "shortage" in row:
        return ["too few queries"] * 5
    wrong = row["at_threshold"]
    return [
        *(f"{row[key]:.3f}" for key in ("aruc", "roc_auc", "tpr_at_fpr_0")),
        f"{wrong['positives'] - wrong['false_negatives']} of {wrong['positives']}",
        f"{wrong['false_positives']} of {wrong['negatives']}",
    ]


def _costs(row: dict, total: dict, device: dict) -> list[str]:
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


def _summed(rows: Iterable[dict]) -> dict:
    total = Counter()
    for row in rows:
        total.update(row)
    return dict(total)


PAGES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("gans", "comparison", "performance")))
TABLES = {
    "digits": digits,
    "schemes-digits": schemes_digits,
    "schemes-digits-repeat": schemes_digits_repeat,
    "schemes-cifar10-small-earlier": schemes_cifar10_small_earlier,
    "detection-digits": partial(detection, "digits"),
    "detection-cifar10-brief": partial(detection, "cifar10-brief"),
    "detection-cifar10-small": partial(detection, "cifar10-small"),
    "variants-digits": partial(variants, "digits"),
    "variants-cifar10-small": partial(variants, "cifar10-small", "cifar10-small-earlier"),
    "variants-cifar10-brief": partial(variants, "cifar10-brief"),
    "cifar10": cifar10,
    "gans-digits": gans_digits,
    "gans-cifar10": gans_cifar10,
    "budget-digits": partial(budget, "digits"),
    "budget-cifar10": partial(budget, "cifar10"),
    "cifar10-models": cifar10_models,
    "h100": h100,
    "h200": h200,
    "settings-digits": settings_digits,
    "latent-steps": latent_steps,
    "survivors": survivors,
}


def rendered(text: str) -> str:
    """``text`` with every table as its record says."""
    for name, table in TABLES.items():
        start, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
        if start in text:
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
