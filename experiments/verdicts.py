"""How often verdicts at the stated levels are right and wrong: ``python -m experiments.verdicts --out FOLDER``.

The metrics of a whole run in FOLDER (``nf run evaluate@naturalfinger --profile NAME --out FOLDER``) join the record.
Each run is called frozen or development: frozen if its zoo's seed was drawn after the settings were last changed.
"""

import argparse
from pathlib import Path
from typing import Any

from nf.core.files import read_json, write_json
from nf.core.paths import CARD_FILE
from nf.core.queries import QuerySet
from nf.stages.provenance import git_commit, machine, versions
from nf.stages.run import Run

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "verdicts.json"

FIGURES = (
    "aruc",
    "aruc_low",
    "aruc_high",
    "roc_auc",
    "roc_auc_low",
    "roc_auc_high",
    "at_threshold",
    "calibrated",
    "verdicts",
    "levels_held_out",
    "sequential",
)


def main(run: Run, *, scheme: str, status: str, note: str) -> None:
    """Add the run, or put it in the place of one of the same profile, scheme, seed and status."""
    runs: list[dict[str, Any]] = read_json(RECORD)["runs"] if RECORD.exists() else []
    row = {"profile": run.profile.name, "scheme": scheme, "seed": run.profile.seed, "status": status, "note": note}
    queries = QuerySet.load(run.layout.fingerprint(scheme))
    metrics = read_json(run.layout.metrics(scheme))
    found = {
        "query_set": queries.digest,
        "queries": len(queries),
        "parameters": queries.card["parameters"],
        "source_score": queries.card["source_score"],
        "calibration_models": len(queries.calibration.models) if queries.calibration else 0,
        "data_hash": read_json(run.layout.data / CARD_FILE)["hashes"]["A"],
        **{key: metrics[key] for key in FIGURES if key in metrics},
        "seconds": run.seconds(),
        "machine": machine(),
        "versions": versions(),
        "commit": git_commit(ROOT),
    }
    same = ("profile", "scheme", "seed", "status")
    kept = [other for other in runs if any(other[key] != row[key] for key in same)]
    what = "verdicts at the stated levels on the suspects of whole zoos"
    write_json(RECORD, {"what": what, "runs": [*kept, {**row, **found}]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where the run lies.")
    parser.add_argument("--profile", default="digits")
    parser.add_argument("--scheme", default="naturalfinger")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="Settings, such as another seed.")
    parser.add_argument("--status", choices=["frozen", "development"], required=True)
    parser.add_argument("--note", default="", help="How the zoo's seed was drawn.")
    arguments = parser.parse_args()
    main(
        Run.open(arguments.profile, params=arguments.params, out=arguments.out),
        scheme=arguments.scheme,
        status=arguments.status,
        note=arguments.note,
    )
