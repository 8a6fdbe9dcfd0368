"""Tables across runs: one question, and what each recorded run says."""

from collections.abc import Callable, Mapping

from nf.report import PAPER_DETECTION, scheme_name
from tools.results import cells
from tools.results.records import Record, load

RUNS: Mapping[str, str] = {
    "cifar10-brief": "CIFAR-10, full width, on a GPU",
    "cifar10-small": "CIFAR-10, narrow networks",
    "cifar10-small-earlier": "the same with other models",
    "digits": "digits",
    "digits-repeat": "digits, on another processor",
}
"""Records of runs, and what each was made with."""

_SHORT = {"cifar10-brief": "CIFAR-10, full width", "cifar10-small": "CIFAR-10, narrow", "digits": "digits"}
_NONE = "No runs have been recorded yet."


def runs() -> str:
    """NaturalFinger in every recorded run, a row each."""
    lines = [
        "| run | stolen found | independent accused | twins accused | AUC | ARUC (95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    for name, what in RUNS.items():
        if run := load(name):
            scheme = run["schemes"]["naturalfinger"]
            row = [what, cells.found(scheme), cells.accused(scheme), cells.twins(scheme), f"{scheme['roc_auc']:.3f}"]
            lines.append(f"| {' | '.join([*row, cells.interval(scheme, 'aruc')])} |")
    return "\n".join(lines) if len(lines) > 2 else _NONE


def twins() -> str:
    """How many honest twins each scheme accuses in each run."""
    return _by_scheme(RUNS, lambda run, scheme: cells.twins(run["schemes"][scheme]))


def detectors() -> str:
    """What the paper's detector finds of each scheme's queries, beside what it finds in the paper."""
    return _by_scheme(
        _SHORT, lambda run, scheme: _rate(run, scheme, "naive"), paper=lambda scheme: PAPER_DETECTION.get(scheme)
    )


def informed_detectors() -> str:
    """What detectors find that learned from another GAN's samples, and from half of the queries."""
    return _by_scheme(
        _SHORT, lambda run, scheme: f"{_rate(run, scheme, 'other_gan')} / {_rate(run, scheme, 'half_of_queries')}"
    )


def _rate(run: Record, scheme: str, kind: str) -> str:
    judged = run["detection"][scheme][kind]
    return f"{judged['detection_rate']:.0%} ± {judged['detection_rate_std']:.0%}"


def _by_scheme(
    columns: Mapping[str, str],
    cell: Callable[[Record, str], str],
    *,
    paper: Callable[[str], float | None] | None = None,
) -> str:
    """A row for each scheme and a column for each recorded run; the schemes of the highest ARUC first."""
    found = {what: run for name, what in columns.items() if (run := load(name))}
    if not found:
        return _NONE
    first = next(iter(found.values()))["schemes"]
    header = ["scheme", *found, *(["in the paper"] if paper else [])]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for scheme in sorted(first, key=lambda name: -first[name]["aruc"]):
        row = [scheme_name(scheme), *(cell(run, scheme) for run in found.values())]
        row += [cells.stated(paper(scheme), ".1%")] if paper else []
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)
