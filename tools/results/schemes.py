"""Tables of a run: how schemes, detectors and variants fare."""

from collections.abc import Callable

from nf.core.proportions import Proportion
from nf.report import (
    DETECTORS,
    PAPER_ARUC,
    PAPER_DETECTION,
    PAPER_PROFILES,
    Spread,
    VariantRow,
    ablation_rows,
    scheme_name,
    variant_rows,
)
from tools.results.cells import interval, share, stated
from tools.results.records import Record, load

_RECORDING = "`make compare`, then `python -m tools.results.record`"
_SHORT_PIPELINE = {"prepare", "zoo", "gan@sagan", "export", "report"}
_SHORT_PIPELINE |= {f"{stage}@naturalfinger" for stage in ("fingerprint", "score", "evaluate")}
"""Stages of `make repro`."""


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
    return "\n".join(lines)


def _figures(found: Record) -> list[str]:
    wrong = found["at_threshold"]
    accused = Proportion(wrong["false_positives"], wrong["negatives"])
    missed = Proportion(wrong["false_negatives"], wrong["positives"])
    level = f"{found['confidence']:.0%} interval"
    return [
        f"| ARUC | {interval(found, 'aruc')} ({level}) |",
        f"| area under the ROC curve | {interval(found, 'roc_auc')} |",
        f"| thieves recognised if no honest model may be accused | {interval(found, 'tpr_at_fpr_0')} |",
        f"| honest models accused at the threshold {found['threshold']:.2f} | {share(accused)} |",
        f"| thieves missed at it | {share(missed)} |",
    ]


def _percent(run: Record, key: str) -> str:
    return f"{run['gans']['sagan'][key]:.1%}"


def _accuracies(run: Record) -> str:
    return f"{run['zoo']['scratch_accuracy_min']:.1%} / {run['zoo']['scratch_accuracy_mean']:.1%}"


def schemes_digits() -> str:
    """All schemes on the default profile."""
    run = load("digits")
    if run is None or len(run["schemes"]) == 1:
        return f"No comparison of this profile has been recorded yet: {_RECORDING}."
    return _schemes(run)


def schemes_digits_repeat() -> str:
    """All schemes on the default profile once more, on a processor of another kind."""
    run = load("digits-repeat")
    return _schemes(run) if run else "No second run of this profile has been recorded yet."


def _schemes(run: Record, *, paper: bool = False) -> str:
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
            interval(found, "aruc"),
            *([stated(PAPER_ARUC.get(name), ".3f")] if paper else []),
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
            cells += [stated(PAPER_DETECTION.get(name), ".1%")] if paper else []
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def schemes_cifar10_small_earlier() -> str:
    """All schemes on ``cifar10-small`` before survivors were ranked by steadiness, on models of another run."""
    run = load("cifar10-small-earlier")
    return _schemes(run, paper=True) if run else "No earlier run of this profile has been recorded yet."


def schemes_beside_the_paper(profile: str) -> str:
    """All schemes of ``profile``, with the paper's numbers for them."""
    run = load(profile)
    return _schemes(run, paper=True) if run else "No run of this profile has been recorded yet."


def ablation_beside_the_paper(profile: str) -> str:
    """The ablation of ``profile``, with the paper's numbers for it."""
    run = load(profile)
    rows = _ablation(run) if run else []
    return "\n".join(rows) if rows else "No ablation of this profile has been recorded yet."


def cifar10() -> str:
    """The paper's setting beside the paper's numbers, or the command that brings it."""
    run = load("cifar10")
    if run is None:
        return (
            "Nothing has been recorded yet: `nf run --profile cifar10 --data FOLDER` on a machine with a GPU, with "
            "`out/record/cifar10.json` copied to `results/`, fills this place."
        )
    ablation = _ablation(run)
    return "\n\n".join([_beside_the_paper(run), *(["\n".join(ablation)] if ablation else []), _provenance(run)])


def _beside_the_paper(run: Record) -> str:
    lines = [
        "| scheme | ARUC (95 % interval) | paper's ARUC | queries detected | paper's | stolen found | honest accused |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in sorted(run["schemes"].items(), key=lambda item: -item[1]["aruc"]):
        wrong, judged = found["at_threshold"], run["detection"].get(name)
        cells = [
            interval(found, "aruc"),
            stated(PAPER_ARUC.get(name), ".4f"),
            f"{judged['naive']['detection_rate']:.1%}" if judged else "not measured",
            stated(PAPER_DETECTION.get(name), ".1%"),
            f"{wrong['positives'] - wrong['false_negatives']} of {wrong['positives']}",
            share(Proportion(wrong["false_positives"], wrong["negatives"])),
        ]
        lines.append(f"| {scheme_name(name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _ablation(run: Record) -> list[str]:
    """Table 3, where variants were run: the paper's discriminator term has the published sign."""
    rows = ablation_rows(variant_rows(run["variants"], confidence=0.95))
    if not rows:
        return []
    lines = ["| variant | seeds | ARUC | paper's ARUC | honest accused |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (_seeds(row), _spread(row.aruc), stated(row.paper, ".2f"), _share_or_none(row.accused))
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return lines


def _provenance(run: Record) -> str:
    n, minutes = run["n"], run["whole"]["seconds"] / 60
    return (
        f"{n['runs']} run, {n['models']} models, {n['queries']} queries a scheme; {run['hardware']['device']}, "
        f"{minutes:.1f} minutes, commit {run['commit']}."
    )


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
        published = [stated(PAPER_DETECTION.get(name), ".1%")] if paper else []
        lines.append(f"| {' | '.join([scheme_name(name), *rates, *published])} |")
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


def variants(profile: str, record: str | None = None, *, only: Callable[[VariantRow], bool] = lambda row: True) -> str:
    """The ablation and the remedy, or what is asked of them; ``record`` if it is not called after the profile."""
    run = load(record or profile)
    rows = variant_rows(run["variants"], confidence=0.95) if run and run.get("variants") else []
    rows = [row for row in rows if only(row)]
    if run is None or not rows:
        return f"No variants of this profile have been recorded yet: {_RECORDING}."
    paper = profile in PAPER_PROFILES
    header = ["variant", "adversarial label", "transforms", "discriminator", "seeds", "ARUC"]
    header += [*(["paper's ARUC"] if paper else []), "ARUC against twins", "honest accused", "twins accused"]
    header += ["stolen missed"]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for row in rows:
        parts = [row.name, _on(row.label), _on(row.transform), row.discriminator, _seeds(row)]
        shares = [_share_or_none(value) for value in (row.accused, row.twins_accused, row.missed)]
        arucs = [_spread(row.aruc), *([stated(row.paper, ".2f")] if paper else []), _spread(row.aruc_twins)]
        lines.append(f"| {' | '.join([*parts, *arucs, *shares])} |")
    first = next(record for record in run["variants"] if "metrics" in record)
    size = f"{first['queries']} queries from {first['training_models']} training models"
    if any(row.name == "twins" for row in rows):
        size += "; the variant `twins` has twins on top"
    spread = "Mean over seeds, 95 % interval" if any(row.seeds > 1 for row in rows) else "One seed"
    return "\n".join([*lines, "", f"{size}. {spread}."])


def published(profile: str) -> str:
    """The variants at the publications' own settings, one row each; which of them found too few queries, and why."""
    run = load(f"published-{profile}")
    if run is None:
        return f"No variant at published settings of this profile has been recorded yet: {_RECORDING}."
    lines = ["| variant | queries | ARUC (95 % interval) | AUC | TPR at FPR 0 | stolen found | honest accused |"]
    lines += [f"|{'---|' * 7}"]
    short = []
    for variant in run["variants"]:
        name, found = variant["variant"], variant.get("metrics")
        if found is None:
            lines.append(f"| `{name}` | too few |{' none |' * 5}")
            short.append(f"`{name}`: {variant['shortage']}.")
            continue
        wrong = found["at_threshold"]
        cells = [
            interval(found, "aruc"),
            f"{found['roc_auc']:.3f}",
            f"{found['tpr_at_fpr_0']:.3f}",
            f"{wrong['positives'] - wrong['false_negatives']} of {wrong['positives']}",
            f"{wrong['false_positives']} of {wrong['negatives']}",
        ]
        lines.append(f"| `{name}` | {variant['queries']} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", " ".join([*short, "One seed."])])


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
