"""Tables of what was measured on two GPUs, beside what was aimed at."""

from collections.abc import Iterable

from nf.core.architectures import DISPLAY_NAMES
from tools.results.cells import query_set_seconds
from tools.results.records import Record, load


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
        ("query sets of `cifar10-brief`", "2 minutes each", query_set_seconds(run["query_sets"])),
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


def _kernels(steps: list[Record], total: Record) -> Iterable[str]:
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


def _tried(trials: list[Record]) -> Iterable[str]:
    yield "| tried on one model | | batch | ms a step before | after |"
    yield "|---|---|---|---|---|"
    for each in trials:
        prepares = f", which it prepares for {each['prepares_seconds']} s" if "prepares_seconds" in each else ""
        yield (
            f"| `{each['what']}`{prepares} | {DISPLAY_NAMES[each['architecture']]} | {each['batch']} "
            f"| {each['before']:.2f} | {each['after']:.2f} |"
        )


def _zoo_minutes(rate: Record, work: float) -> str:
    return (
        f"{work / rate['tflops'] / 60:.0f} at batches of {rate['batch']} ({rate['models']} models in "
        f"{rate['processes']} processes, {rate['epochs']} epochs: {rate['tflops']:.0f} TFLOP/s)"
    )


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
        ("query sets", "2 minutes each", query_set_seconds(spent["fingerprint"])),
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


def _variant_seconds(run: Record) -> dict[str, float]:
    """Of each variant's last attempt, where it was not the end of time."""
    return {
        name: value
        for name, value in run["seconds"].items()
        if name.startswith("variant@") and name not in run["missing"]
    }


def _least_and_most(seconds: dict[str, float]) -> str:
    least, most = (f"{value:.0f}" for value in (min(seconds.values()), max(seconds.values())))
    return f"{least} s" if least == most else f"{least} to {most} s"
