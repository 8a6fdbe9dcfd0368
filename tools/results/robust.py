"""Tables of faults, load and resizing that the project was put under, from their records."""

from tools.results.records import Record, load, load_all


def torture() -> str:
    """One row for each kind of fault: how often it was tried, and how often the run came out the same."""
    record = load("torture")
    if record is None:
        return "Nothing has been recorded yet: `make torture` fills this place."
    lines = ["| fault | tried | held |", "|---|---|---|"]
    lines += [
        f"| {name} | {count} | {record['held'].get(name, 0)} |" for name, count in sorted(record["tried"].items())
    ]
    lines.append(f"| **all** | {record['trials']} | {sum(record['held'].values())} |")
    told = [f"- {fault['trial']}: {_short(fault['said'])}" for fault in record["faults"]]
    return "\n".join([*lines, *(["", *told] if told else [])])


def _short(said: str) -> str:
    return " ".join(said.split())[-200:]


def of_load() -> str:
    """One row for each thing that grows: what it costs when small, and when large."""
    record = load("load")
    if record is None:
        return "Nothing has been recorded yet: `python -m benchmarks.load` fills this place."
    year, many = record["year"], record["many_watched"]
    lines = ["| what | small | large |", "|---|---|---|"]
    lines.append(
        f"| {year['weeks']} weeks of watching {year['suspects']} suspects, {year['sets_issued']} query sets: seconds "
        f"to ask and draw in a week, the first four and the last four | {_week(year, 'first_four')} | "
        f"{_week(year, 'last_four')} |"
    )
    held = year["resident_bytes"]
    lines.append(f"| memory held, after 4 weeks and all | {_mib(held['after_4'])} | {_mib(held['after_all'])} |")
    each, memory = many["seconds_each"], many["resident_bytes"]
    lines.append(
        f"| {many['suspects']:,} suspects in one run: seconds each, the first and the last tenth | "
        f"{each['first_tenth']:.1f} | {each['last_tenth']:.1f} |"
    )
    lines.append(
        f"| memory held, after a tenth and all | {_mib(memory['after_a_tenth'])} | {_mib(memory['after_all'])} |"
    )
    small, *_, large = record["ledgers"]
    lines.append(
        f"| a ledger of {small['sets']:,} and of {large['sets']:,} sets: seconds to read, to note who has seen one | "
        f"{_ledger(small)} | {_ledger(large)} |"
    )
    first, *others = record["one_suspect"]
    for row in others:
        lines.append(
            f"| one ONNX suspect, {first['queries']:,} queries of {first['classes']:,} classes, and {row['queries']:,} "
            f"of {row['classes']:,}: seconds | {first['seconds']:.1f} | {row['seconds']:.1f} |"
        )
    histories = ", ".join(map(str, year["observations_a_suspect"]))
    lines += [
        "",
        f"Observations in each history at the end of the year: {histories}. The page of {many['suspects']:,} suspects "
        f"has {many['bytes_of_the_page'] / 1e6:.1f} MB, and its drawings take {many['seconds_to_draw']:.0f} s.",
    ]
    return "\n".join(lines)


def _week(year: Record, when: str) -> str:
    return f"{year['seconds_to_ask'][when]:.1f} and {year['seconds_to_draw'][when]:.1f}"


def _ledger(row: Record) -> str:
    return f"{row['seconds_to_read']:.2f} and {row['seconds_to_note']:.2f}"


def _mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"


def resizing() -> str:
    """One row for each way in which images were resized, and the matching rates in each recorded run."""
    found = load_all("resizing-")
    if not found:
        return "Nothing has been recorded yet: `python -m experiments.resizing` fills this place."
    titles = [f"{record['profile']}, {record['image_size']} px" for record in found]
    lines = [
        f"| on the way | {' | '.join(f'{title}: thieves | independent | answers that change' for title in titles)} |",
        f"|---|{'---|' * (3 * len(found))}",
    ]
    for number, way in enumerate(found[0]["ways"]):
        rows = [record["ways"][number] for record in found]
        cells = (f"{row['positive']:.3f} | {row['negative']:.3f} | {row['changed']:.1%}" for row in rows)
        lines.append(f"| {way['way']} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", " ".join(map(_resized, found))])


def _resized(record: Record) -> str:
    suspects = record["suspects"]
    moved = ", ".join(record["transforms"] or ("as the scheme's defaults say",))
    counts = f"{suspects['positive']} thieves and {suspects['negative']} independent models"
    return f"{record['profile']}: {record['queries']} queries, which were moved under {moved}; {counts}."
