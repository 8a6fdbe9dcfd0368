"""Tables of the records in ``experiments/``: what settings of NaturalFinger change."""

from statistics import fmean
from typing import Any

from nf.report import DETECTORS
from tools.results.records import Record, load


def settings_digits() -> str:
    """How settings of NaturalFinger fare on two zoos, a row for those of a zoo and a setting."""
    record = load("settings-digits")
    if record is None:
        return "Nothing has been recorded yet: `python -m experiments.settings --out FOLDER` fills this place."
    groups: dict[tuple[Any, ...], list[Record]] = {}
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


def _query_set_cells(row: Record) -> list[str]:
    if "shortage" in row:
        return ["too few queries"] * 5
    wrong = row["at_threshold"]
    return [
        *(f"{row[key]:.3f}" for key in ("aruc", "roc_auc", "tpr_at_fpr_0")),
        f"{wrong['positives'] - wrong['false_negatives']} of {wrong['positives']}",
        f"{wrong['false_positives']} of {wrong['negatives']}",
    ]


def latent_steps() -> str:
    """What becomes of query sets as latents move in ever more and shorter steps, a row for each number."""
    record = load("latent-steps-cifar10-small")
    if record is None:
        return "Nothing has been recorded yet: `python -m experiments.latent_steps --out FOLDER` fills this place."
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
            f"{record['queries']} queries from {record['training_models']} training models, one set a row; the first "
            f"row is {record['samples']:,} samples.",
        ]
    )


def _latent_steps_cells(row: Record) -> list[str]:
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
        return "Nothing has been recorded yet: `python -m experiments.survivors --out FOLDER` fills this place."
    groups: dict[tuple[Any, ...], list[Record]] = {}
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
