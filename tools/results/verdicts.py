"""Tables of verdicts at stated levels, from what ``experiments.verdicts`` and ``experiments.schemes`` record."""

from collections.abc import Callable

from nf.core.proportions import Proportion
from nf.report import scheme_name
from tools.results import cells
from tools.results.records import Record, load

_NONE = "No verdicts have been recorded yet."
_KINDS = {
    "train": "a plain copy",
    "finetune": "fine-tuned",
    "prune": "pruned",
    "noise": "noise on the weights",
    "adversarial": "adversarially trained",
    "distill": "distilled",
    "knockoff": "knockoff",
}
_CHOOSERS = {"published": "the scheme", "margin": "margins", "held-out": "calibration models"}


def verdicts() -> str:
    """What verdicts with NaturalFinger's queries came to, a column for each recorded zoo."""
    runs = _runs()
    if not runs:
        return _NONE
    rows: dict[str, Callable[[Record], str]] = {
        "stolen models that were accused": lambda run: _right(run["verdicts"]["missed"]),
        "stolen models that were called *stolen*": lambda run: _right(run["verdicts"]["not_called_stolen"]),
        "independent models that were accused": lambda run: _share(run["verdicts"]["independent_accused"]),
        "honest twins that were called *stolen*": lambda run: _share(run["verdicts"]["trained_accused"]),
        "ARUC of the calibrated score": lambda run: cells.interval(run["calibrated"], "aruc"),
        "ARUC of the matching rate, the paper's measure": lambda run: cells.interval(run, "aruc"),
        "area under the ROC curve, calibrated score": lambda run: cells.interval(run["calibrated"], "roc_auc"),
    }
    return _table(runs, rows)


def front() -> str:
    """The same in few numbers, for the front page, of zoos that no setting was chosen on."""
    runs = [run for run in _runs() if run["status"] == "frozen"]
    if not runs:
        return _NONE
    rows: dict[str, Callable[[Record], str]] = {
        "thieves accused": lambda run: _right(run["verdicts"]["missed"], bare=True),
        "independent models accused": lambda run: _share(run["verdicts"]["independent_accused"], bare=True),
        "honest twins called *stolen*": lambda run: _share(run["verdicts"]["trained_accused"], bare=True),
        "ARUC, calibrated score": lambda run: f"{run['calibrated']['aruc']:.2f}",
        "ARUC, matching rate": lambda run: f"{run['aruc']:.2f}",
    }
    return _table(runs, rows)


def _table(runs: list[Record], rows: dict[str, Callable[[Record], str]]) -> str:
    lines = [f"| | {' | '.join(map(_title, runs))} |", "|---" * (len(runs) + 1) + "|"]
    lines += [f"| {what} | {' | '.join(cell(run) for run in runs)} |" for what, cell in rows.items()]
    return "\n".join(lines)


def verdicts_by_kind() -> str:
    """How many thieves of each kind were accused and called stolen, in each recorded zoo."""
    runs = _runs()
    if not runs:
        return _NONE
    lines = [f"| thief | {' | '.join(map(_title, runs))} |", "|---" * (len(runs) + 1) + "|"]
    for kind, words in _KINDS.items():
        found = [run["verdicts"]["thieves"].get(kind) for run in runs]
        if any(found):
            lines.append(f"| {words} | {' | '.join(map(_found, found))} |")
    return "\n".join(lines)


def levels() -> str:
    """How often the levels erred on the calibration models themselves, each judged without its lineage."""
    runs = _runs()
    if not runs:
        return _NONE
    lines = [f"| level | {' | '.join(map(_title, runs))} |", "|---" * (len(runs) + 1) + "|"]
    for name, words in (("independent", "over independent models"), ("trained", "over twins and their offspring")):
        allowed = runs[0]["verdicts"]["levels"][name]
        found = [run.get("levels_held_out") for run in runs]
        counted = ["not recorded" if each is None else _share(each.get(name)) for each in found]
        lines.append(f"| {allowed:.0%} {words} | {' | '.join(counted)} |")
    return "\n".join(lines)


def by_scheme() -> str:
    """What verdicts come to with the queries of each scheme, all calibrated by the same models."""
    record = load("schemes-calibrated-digits")
    if record is None:
        return _NONE
    rows: dict[str, Callable[[Record], str]] = {
        "scheme": _scheme,
        "chosen by": lambda row: _CHOOSERS[row.get("choice", "published")],
        "stolen accused": lambda row: _right(row["verdicts"]["missed"]),
        "called *stolen*": lambda row: _right(row["verdicts"]["not_called_stolen"], bare=True),
        "independent accused": lambda row: _share(row["verdicts"]["independent_accused"], bare=True),
        "twins called *stolen*": lambda row: _share(row["verdicts"]["trained_accused"], bare=True),
        "ARUC, calibrated": lambda row: cells.interval(row["calibrated"], "aruc"),
        "ARUC, matching rate": lambda row: f"{row['aruc']:.3f}",
        "candidates": lambda row: f"{row['candidates']:,}",
    }
    made = [row for row in record["query_sets"] if "shortage" not in row]
    made.sort(key=lambda row: row["verdicts"]["missed"]["count"])
    lines = [f"| {' | '.join(rows)} |", "|---" * len(rows) + "|"]
    lines += [f"| {' | '.join(cell(row) for cell in rows.values())} |" for row in made]
    short = [
        f"{_scheme(row)}, chosen by {_CHOOSERS[row['choice']]}: {row['shortage'].partition(';')[0]}."
        for row in record["query_sets"]
        if "shortage" in row
    ]
    return "\n".join([*lines, "", " ".join([f"Seed {made[0]['seed']}, {record['note']}.", *short])])


def _scheme(row: Record) -> str:
    return scheme_name(row["scheme"]) + (" against twins" if row.get("twins") else "")


def _runs() -> list[Record]:
    """NaturalFinger's runs, the frozen ones first."""
    record = load("verdicts")
    found = [run for run in (record or {"runs": []})["runs"] if run["scheme"] == "naturalfinger"]
    return sorted(found, key=lambda run: run["status"] != "frozen")


def _title(run: Record) -> str:
    return f"{run['profile']}, {run['status']} (seed {run['seed']})"


def _right(wrong: Record, *, bare: bool = False) -> str:
    return _share({"count": wrong["total"] - wrong["count"], "total": wrong["total"]}, bare=bare)


def _share(counted: Record | None, *, bare: bool = False) -> str:
    if counted is None:
        return "no such models"
    rate = Proportion(counted["count"], counted["total"])
    return f"{rate.count} of {rate.total}" if bare else cells.share(rate)


def _found(found: Record | None) -> str:
    return "none there" if found is None else f"{found['accused']} of {found['suspects']}, {found['stolen']} *stolen*"
