"""Table of owners' models that were protected as an example, from the records of ``experiments.own_model``."""

from tools.results.records import Record, load_all

_NONE = "Nothing has been recorded yet: `python -m experiments.own_model` fills this place."


def own_model() -> str:
    """One row for each suspect that was made outside, for each recorded example."""
    found = load_all("own-model-")
    if not found:
        return _NONE
    lines = ["| owner's model | suspect | right on test images | matching rate | verdict |", f"|{'---|' * 5}"]
    for record in found:
        for name, row in record["suspects"].items():
            score = "-" if row["score"] is None else f"{row['score']:.2f}"
            outcome = row["outcome"] or "no verdict"
            lines.append(
                f"| ResNet18, {record['form']}, {record['size']} px | {name.replace('-', ' ', 1)} "
                f"| {row['accuracy']:.0%} | {score} | {outcome} |"
            )
    lines += ["", " ".join(_sentence(record) for record in found)]
    return "\n".join(lines)


def _sentence(record: Record) -> str:
    took = (
        f"{record['form'].capitalize()}, {record['size']} px: {record['seconds'] / 60:.0f} minutes for a run of which "
        f"{record['minutes_asked']:.0f} were asked for ({record['note'] or 'two cores'})."
    )
    zoo = record.get("zoo")
    if not zoo:
        return took
    missed, accused = zoo["missed"], zoo["independent_accused"]
    found = f"{missed['total'] - missed['count']} of the {missed['total']} thieves of its own zoo were accused"
    return f"{took} {found}, and {accused['count']} of its {accused['total']} independent models."
