"""Write down what a run found, as ``results/<profile>.json``: ``python benchmarks/record.py --profile digits``.

``--gans`` writes the quality of all GANs that were trained, whoever used them, as ``results/gans-<profile>.json``.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nf.core.files import read_json, write_json
from nf.core.paths import CARD_FILE, QUALITY_FILE, SUMMARY_FILE
from nf.core.queries import QuerySet
from nf.stages.compare import comparison_variants
from nf.stages.gan import SAMPLES, trained_gans
from nf.stages.provenance import git_commit, machine, versions
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parent.parent


def record(run: Run, note: str, name: str) -> Path:
    """Write down metrics, zoo accuracies, GAN quality and times of a run, and of its comparison what is there."""
    path = ROOT / "results" / f"{name}.json"
    write_json(path, gather(run, note))
    return path


def gather(run: Run, note: str) -> dict[str, Any]:
    """What a run has found so far; images and at least one model from scratch must be there."""
    profile = run.profile.name
    cards = [read_json(path) for path in sorted(run.layout.zoo.glob("*/card.json"))]
    data = read_json(run.layout.data / CARD_FILE)
    qualities = {name: run.layout.gan(name) / QUALITY_FILE for name in trained_gans(run)}
    return {
        "what": f"one run of the profile {profile}",
        "note": note,
        "seed": run.profile.seed,
        "n": {"runs": 1, "models": len(cards), "queries": run.profile.queries},
        "images": data["sizes"],
        "data_hash": data["hashes"]["A"],
        "schemes": _of_present_sets(run, run.layout.metrics),
        "gans": {name: read_json(path) for name, path in qualities.items() if path.exists()},
        "detection": _of_present_sets(run, run.layout.detection),
        "variants": comparison_variants(run),
        "zoo": _zoo(run, cards),
        "seconds": run.seconds(),
        "machine": machine(),
        "versions": versions(),
        "commit": git_commit(ROOT),
    }


def _of_present_sets(run: Run, place: Callable[[str], Path]) -> dict[str, Any]:
    """By scheme what the record in ``place`` says, where it is about the query set that is there."""
    found = {}
    for name in run.profile.schemes:
        if place(name).exists() and (run.layout.fingerprint(name) / CARD_FILE).exists():
            record = read_json(place(name))
            if record["query_set"] == QuerySet.load(run.layout.fingerprint(name)).digest:
                found[name] = record
    return found


def _zoo(run: Run, cards: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracies on the test half, and how many thieves side with their victim once all models are there."""
    summary = run.layout.zoo / SUMMARY_FILE
    scratch = [card["test_accuracy"] for card in cards if card["attack"] == "train" and card["pool"] == "suspects"]
    return {
        "accuracies": {card["id"]: card["test_accuracy"] for card in cards},
        "accuracy_mean": round(sum(card["test_accuracy"] for card in cards) / len(cards), 4),
        "scratch_accuracy_min": min(scratch),
        "scratch_accuracy_mean": round(sum(scratch) / len(scratch), 4),
        "thieves_faithful": read_json(summary)["extraction"]["faithful"] if summary.exists() else None,
    }


def record_gans(run: Run, note: str, name: str) -> Path:
    """Gather quality and size of a run's GANs."""
    profile = run.profile.name
    gans = {}
    for gan in trained_gans(run):
        folder = run.layout.gan(gan)
        card = read_json(folder / CARD_FILE)
        gans[gan] = {"steps": card["steps"], "parameters": card["parameters"], **read_json(folder / QUALITY_FILE)}
    path = ROOT / "results" / f"gans-{name}.json"
    write_json(
        path,
        {
            "what": f"GANs of the profile {profile} in the eyes of its source model",
            "note": note,
            "seed": run.profile.seed,
            "n": {"runs": 1, "samples": SAMPLES},
            "gans": gans,
            "machine": machine(),
            "versions": versions(),
            "commit": git_commit(ROOT),
        },
    )
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="digits")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="The settings of the run.")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    parser.add_argument("--note", default="", help="What is particular about this run.")
    parser.add_argument("--name", help="Of the record. [default: the profile's]")
    parser.add_argument("--gans", action="store_true", help="Record the GANs and nothing else.")
    arguments = parser.parse_args()
    write = record_gans if arguments.gans else record
    run = Run.open(arguments.profile, params=arguments.params, out=arguments.out)
    print(write(run, arguments.note, arguments.name or run.profile.name))
