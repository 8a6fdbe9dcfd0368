"""Tables of owners' models that were protected as an example, and of honest models held against their query sets."""

from collections.abc import Mapping, Sequence

from nf.report import scheme_name
from tools.results.records import Record, load_all

_NONE = "Nothing has been recorded yet: `python -m experiments.{}` fills this place."


def own_model() -> str:
    """What became of the suspects that were made outside, a row for each recorded example."""
    found = load_all("own-model-")
    if not found:
        return _NONE.format("own_model")
    lines = [
        "| owner's model | minutes | gigabytes | thieves accused | honest models accused | no verdict |",
        f"|{'---|' * 6}",
    ]
    for record in found:
        suspects = record["suspects"]
        cells = [
            _title(record),
            f"{record['seconds'] / 60:.0f}",
            f"{record['bytes'] / 1e9:.1f}",
            thieves_accused(suspects),
            honest_accused(suspects),
            str(sum(row["score"] is None for row in suspects.values())),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def thieves_accused(suspects: Mapping[str, Record]) -> str:
    """How many of the thieves that got a verdict were accused."""
    return _accused([row for name, row in suspects.items() if name.startswith("thief")])


def honest_accused(suspects: Mapping[str, Record]) -> str:
    """The same of independent models and twins."""
    return _accused([row for name, row in suspects.items() if not name.startswith("thief")])


def _accused(rows: Sequence[Record]) -> str:
    judged = [row for row in rows if row["score"] is not None]
    return f"{sum(row['outcome'] != 'not shown' for row in judged)} of {len(judged)}"


def own_model_each() -> str:
    """One row for each suspect that was made outside, one column for each recorded example; and how these were run."""
    found = load_all("own-model-")
    if not found:
        return _NONE.format("own_model")
    lines = [f"| suspect | {' | '.join(map(_title, found))} |", f"|{'---|' * (1 + len(found))}"]
    for name in sorted({name for record in found for name in record["suspects"]}):
        cells = [_told(record["suspects"].get(name)) for record in found]
        lines.append(f"| {name.replace('-', ' ', 1)} | {' | '.join(cells)} |")
    lines += ["", *(f"- {_sentence(record)}" for record in found)]
    return "\n".join(lines)


def _told(row: Record | None) -> str:
    """How many test images a suspect gets right, its matching rate, and the verdict; a dash if it was not made."""
    if row is None:
        return "-"
    said = "no verdict" if row["score"] is None else f"{row['score']:.2f}, {row['outcome']}"
    return f"{row['accuracy']:.0%}: {said}"


def _title(record: Record) -> str:
    scheme = record.get("scheme", "naturalfinger")
    queries = "" if scheme == "naturalfinger" else f", {scheme_name(scheme)}"
    return f"{record.get('owner', 'ResNet18')}, {record['form']}, {record['size']} px{queries}"


def honest_training() -> str:
    """One row for each honest model, the shortest training first; what each query set says of it."""
    found = load_all("honest-training")
    if not found:
        return _NONE.format("honest_training")
    (record,) = found
    names = list(record["models"][0]["sets"])
    lines = [
        "| times that it saw its images | right on test images | "
        + " | ".join(f"{name}: matching rate | p-value | verdict" for name in names)
        + " |",
        f"|{'---|' * (2 + 3 * len(names))}",
    ]
    for row in record["models"]:
        cells = [f"| {row['epochs']} | {row['accuracy']:.0%}"]
        for said in row["sets"].values():
            cells.append(f"{said['score']:.2f} | {said['p']:.2g} | {said['outcome']}")
        lines.append(" | ".join(cells) + " |")
    return "\n".join(lines)


def _sentence(record: Record) -> str:
    asked = record["minutes_asked"]
    wanted = "" if asked is None else f" of which {asked:.0f} minutes were asked for"
    left = f" {len(record['left'])} further suspects are still to be made." if record.get("left") else ""
    took = f"{_title(record)}: a run{wanted} ({record['note'] or 'two cores'}).{left}"
    zoo = record.get("zoo")
    if not zoo:
        return took
    missed, accused = zoo["missed"], zoo["independent_accused"]
    found = f"{missed['total'] - missed['count']} of the {missed['total']} thieves of its own zoo were accused"
    return f"{took} {found}, and {accused['count']} of its {accused['total']} independent models."
