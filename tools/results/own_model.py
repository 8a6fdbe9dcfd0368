"""Table of owners' models that were protected as an example, from the records of ``experiments.own_model``."""

from tools.results.records import ROOT, Record, load

_NONE = "Nothing has been recorded yet: `python -m experiments.own_model` fills this place."


def own_model() -> str:
    """One row for each suspect that was made outside, for each recorded example."""
    records = [load(path.stem) for path in sorted((ROOT / "results").glob("own-model-*.json"))]
    found = [record for record in records if record is not None]
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
    return (
        f"{record['seconds'] / 60:.0f} minutes for the run of {record['minutes_asked']:.0f} that were asked for"
        f" ({record['note'] or 'two cores'})."
    )
