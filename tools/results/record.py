"""Write down what a run found, as ``results/<profile>.json``: ``python -m tools.results.record --profile digits``.

``--gans`` writes the quality of all GANs that were trained, whoever used them, as ``results/gans-<profile>.json``.
"""

import argparse
from pathlib import Path

from nf.core.files import read_json, write_json
from nf.core.paths import CARD_FILE, QUALITY_FILE
from nf.stages.gan import SAMPLES, trained_gans
from nf.stages.provenance import git_commit, machine, versions
from nf.stages.record import gather
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parents[2]


def record(run: Run, note: str, name: str) -> Path:
    """Write down metrics, zoo accuracies, GAN quality and times of a run, and of its comparison what is there."""
    path = ROOT / "results" / f"{name}.json"
    write_json(path, gather(run, note))
    return path


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
