"""Who should choose the queries, and does it help to move them against twins, too: ``python -m experiments.choice``.

On a whole run of ``digits`` in FOLDER (``nf run export gan@sagan --profile digits --out FOLDER``), latents are moved
once without and once with twins. From each bank queries are chosen by the published rule, by margin and by calibration
models, and every suspect is asked. The record is written after each query set.
"""

import argparse
from pathlib import Path
from typing import Any

from nf.core.threads import configure_math_libraries

configure_math_libraries()

from experiments.survivors import MovedOnce  # noqa: E402 - the environment is read at import
from nf.core.errors import NotEnoughQueriesError  # noqa: E402
from nf.core.files import read_json, write_json  # noqa: E402
from nf.core.sections import parse_section  # noqa: E402
from nf.core.seeds import derive_seed  # noqa: E402
from nf.fingerprints import NaturalFinger, NaturalFingerConfig  # noqa: E402
from nf.stages.evaluate import measure  # noqa: E402
from nf.stages.fingerprint import make_queries_by  # noqa: E402
from nf.stages.provenance import git_commit, machine, versions  # noqa: E402
from nf.stages.run import Run  # noqa: E402
from nf.stages.score import score_suspects  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "choice-digits.json"

CHOICES = ("published", "margin", "held-out")
COMMON = {"shortlist": 1400, "max_rounds": 1, "choose_from": 1}
FIGURES = ("aruc", "aruc_low", "aruc_high", "roc_auc", "roc_auc_low", "tpr_at_fpr_0", "calibrated", "verdicts")


def main(run: Run, note: str) -> None:
    """Add the query sets that are not in the record."""
    rows: list[dict[str, Any]] = read_json(RECORD)["query_sets"] if RECORD.exists() else []
    for twins in (False, True):
        move = MovedOnce()
        for choice in CHOICES:
            if any((row["twins"], row["choice"], row["seed"]) == (twins, choice, run.profile.seed) for row in rows):
                continue
            found = _measure(run, move, twins, choice)
            rows.append({"seed": run.profile.seed, "twins": twins, "choice": choice, **found})
            what = "query sets of NaturalFinger on digits, by who chooses and whether twins joined the negatives"
            facts = {"machine": machine(), "versions": versions(), "commit": git_commit(ROOT)}
            write_json(RECORD, {"what": what, "note": note, "common": COMMON, "query_sets": rows, **facts})
            print({key: rows[-1].get(key) for key in ("twins", "choice", "aruc", "queries", "shortage")}, flush=True)


def _measure(run: Run, move: MovedOnce, twins: bool, choice: str) -> dict[str, Any]:
    section = {**run.profile.section("schemes", "naturalfinger"), **COMMON, "twins": twins, "choice": choice}
    scheme = NaturalFinger(parse_section(NaturalFingerConfig, section, "schemes.naturalfinger"), optimiser=move)
    seed = derive_seed(run.profile.seed, "choice")
    try:
        queries = make_queries_by(run, scheme, count=run.profile.queries, seed=seed)
    except NotEnoughQueriesError as error:
        return {"shortage": str(error)}
    metrics = measure(run, "naturalfinger", queries, *score_suspects(run, queries))
    return {
        "queries": len(queries),
        "query_set": queries.digest,
        "source_score": queries.card["source_score"],
        "funnel": queries.card["funnel"],
        **{key: metrics[key] for key in FIGURES},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where the run of digits lies.")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="Settings, such as another seed.")
    parser.add_argument("--note", default="", help="How the zoo's seed was drawn.")
    arguments = parser.parse_args()
    main(Run.open("digits", params=arguments.params, out=arguments.out), arguments.note)
