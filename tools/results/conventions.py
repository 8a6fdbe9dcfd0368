"""Tables of how often the search for a suspect's conventions errs, from the record of ``experiments.conventions``."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from nf.core.proportions import Proportion
from tools.results.cells import share
from tools.results.records import Record, load

KINDS = {
    "searched": "conventions that the search tries",
    "rare": "conventions that it tries where these do poorly",
    "unknown": "conventions that it does not try",
    "broken": "classifiers that answer nonsense",
}
_NONE = "Nothing has been recorded yet: `python -m experiments.conventions --out FOLDER` fills this place."


def conventions() -> str:
    """What became of verdicts, a row for each kind of convention and recorded zoo."""
    record = load("conventions")
    if record is None:
        return _NONE
    lines = [
        "| zoo | kind | asked | as if stated | no verdict, before a query | no verdict, after | honest, graver "
        "| thieves, lighter | other changes | images sent, mean |",
        f"|{'---|' * 10}",
    ]
    for run in record["runs"]:
        for kind, words in KINDS.items():
            rows = [row for row in run["conventions"] if row["kind"] == kind]
            if rows:
                lines.append(f"| {title(run)} | {len(rows)} {words} | {' | '.join(_cells(rows, run['models']))} |")
    return "\n".join(lines)


def _cells(rows: Sequence[Record], models: Mapping[str, int]) -> list[str]:
    """Counts over conventions; shares are of the honest models, or the thieves, each under every convention."""

    def total(*keys: str) -> int:
        return sum(len(row[key]) if isinstance(row[key], list) else row[key] for row in rows for key in keys)

    return [
        f"{sum(row['models'] for row in rows):,}",
        f"{total('as_stated'):,}",
        f"{total('no_verdict_before_queries'):,}",
        f"{total('no_verdict_after_queries'):,}",
        share(Proportion(total("honest_graver"), models["negative"] * len(rows))),
        share(Proportion(total("thieves_lighter"), models["positive"] * len(rows))),
        f"{total('honest_lighter', 'thieves_graver'):,}",
        f"{fmean(row['images_sent'] for row in rows):,.0f}",
    ]


def by_convention() -> str:
    """The conventions under which one verdict became another, which is more than none, of each profile's last zoo."""
    record = load("conventions")
    if record is None:
        return _NONE
    lines = [
        "| zoo | convention | models | as if stated | no verdict | honest, graver | thieves, lighter | other changes | "
        "equal answers |",
        f"|{'---|' * 9}",
    ]
    for run in {run["profile"]: run for run in record["runs"]}.values():
        for row in run["conventions"]:
            changed = [len(row[key]) for key in ("honest_graver", "thieves_lighter")]
            others = len(row["honest_lighter"]) + len(row["thieves_graver"])
            if row["kind"] != "broken" and (sum(changed) or others):
                none = row["no_verdict_before_queries"] + row["no_verdict_after_queries"]
                equal = "" if row["answers_equal"] is None else f"{row['answers_equal']:.0%}"
                cells = [row["models"], row["as_stated"], none, *changed, others, equal]
                lines.append(
                    f"| {run['profile']} (seed {run['seed']}) | {row['name']} | {' | '.join(map(str, cells))} |"
                )
    return "\n".join(lines)


def floors() -> str:
    """What the floor under sense does, a column for each recorded zoo."""
    record = load("conventions")
    if record is None:
        return _NONE
    runs = record["runs"]

    def counted(count: int, total: int) -> str:
        return share(Proportion(count, total)) if total else "none"

    rows: dict[str, Callable[[Record], str]] = {
        "floor": lambda found: f"{found['floor']:.2f}",
        "lowest share of sense, asked rightly": lambda found: f"{found['asked_rightly_lowest']:.2f}",
        "asked rightly, refused": lambda found: counted(len(found["asked_rightly_refused"]), found["asked_rightly"]),
        "asked wrongly, refused": lambda found: counted(found["asked_wrongly_refused"], found["asked_wrongly"]),
        "asked wrongly, with another verdict, without a floor": lambda found: counted(
            found["asked_wrongly_changed"], found["asked_wrongly"]
        ),
        "the same, above the floor": lambda found: counted(
            found["asked_wrongly_changed_above"], found["asked_wrongly"]
        ),
        "honest and a graver verdict, without a floor": lambda found: str(found["honest_graver"]),
        "the same, above the floor ": lambda found: str(found["honest_graver_above"]),
    }
    lines = [f"| | {' | '.join(map(title, runs))} |", f"|{'---|' * (len(runs) + 1)}"]
    lines += [f"| {what.strip()} | {' | '.join(cell(run['floor']) for run in runs)} |" for what, cell in rows.items()]
    return "\n".join(lines)


def title(run: Record) -> str:
    """Profile and seed of a run, and how many of its models have been asked."""
    return f"{run['profile']} (seed {run['seed']}), {sum(run['models'].values())} of {run['models_of_the_zoo']} models"
