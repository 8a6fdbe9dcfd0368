"""Which scheme finds most thieves at the stated levels, and who should choose its queries?

``python -m experiments.schemes --out FOLDER``, on a whole run of ``digits`` in FOLDER (``nf run export gan@sagan
--profile digits --out FOLDER``). Each scheme makes a query set by its authors' rule and one that calibration models
choose from all its candidates, NaturalFinger also by margin, and each with and without twins among the negatives. All
are calibrated by the same models, and every suspect is asked. The record is written after each query set, and rows that
are in it are not made again.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nf.core.threads import configure_math_libraries

configure_math_libraries()

from experiments.survivors import MovedOnce  # noqa: E402 - the environment is read at import
from nf.core.errors import NotEnoughQueriesError  # noqa: E402
from nf.core.files import read_json, write_json  # noqa: E402
from nf.core.sections import parse_section  # noqa: E402
from nf.core.seeds import derive_seed  # noqa: E402
from nf.fingerprints import NaturalFinger, NaturalFingerConfig, Scheme, make_scheme  # noqa: E402
from nf.stages.evaluate import measure  # noqa: E402
from nf.stages.fingerprint import make_queries_by  # noqa: E402
from nf.stages.provenance import git_commit, machine, versions  # noqa: E402
from nf.stages.run import Run  # noqa: E402
from nf.stages.score import score_suspects  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "schemes-calibrated-digits.json"

ROWS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("random", {"choice": "published"}),
    ("random", {"choice": "held-out"}),
    ("akh", {"choice": "published"}),
    ("akh", {"choice": "held-out"}),
    ("ipguard", {"choice": "published"}),
    ("ipguard", {"choice": "held-out"}),
    ("metav", {}),
    ("metafinger", {"choice": "published"}),
    ("metafinger", {"choice": "held-out"}),
    ("naturalfinger", {"choice": "published", "twins": True}),
    ("naturalfinger", {"choice": "margin", "twins": True}),
    ("naturalfinger", {"choice": "held-out", "twins": True}),
    ("naturalfinger", {"choice": "published", "twins": False}),
    ("naturalfinger", {"choice": "margin", "twins": False}),
    ("naturalfinger", {"choice": "held-out", "twins": False}),
)
"""Scheme, and what of its section is set; all else is as in the profile."""

ONE_BANK = {"max_rounds": 1, "choose_from": 1}
"""NaturalFinger's rules choose from the same latents, moved once."""

FIGURES = ("aruc", "aruc_low", "aruc_high", "roc_auc", "roc_auc_low", "tpr_at_fpr_0", "calibrated", "verdicts")


def main(run: Run, note: str) -> None:
    """Add the query sets that are not in the record."""
    sets: list[dict[str, Any]] = read_json(RECORD)["query_sets"] if RECORD.exists() else []
    banks = {True: MovedOnce(), False: MovedOnce()}
    for scheme, changes in ROWS:
        row = {"seed": run.profile.seed, "scheme": scheme, **changes}
        if any(row.items() <= other.items() for other in sets):
            continue
        sets.append(row | _measure(run, scheme, changes, banks))
        what = "query sets of all schemes on digits under one calibration, by who chooses the queries"
        facts = {"machine": machine(), "versions": versions(), "commit": git_commit(ROOT)}
        write_json(RECORD, {"what": what, "note": note, "common": ONE_BANK, "query_sets": sets, **facts})
        print({key: sets[-1].get(key) for key in (*row, "verdicts", "shortage", "seconds")}, flush=True)


def _measure(run: Run, name: str, changes: Mapping[str, Any], banks: Mapping[bool, MovedOnce]) -> dict[str, Any]:
    section = {**run.profile.section("schemes", name), **changes}
    scheme: Scheme
    if name == "naturalfinger":
        config = parse_section(NaturalFingerConfig, section | ONE_BANK, f"schemes.{name}")
        scheme = NaturalFinger(config, optimiser=banks[config.twins])
    else:
        scheme = make_scheme(name, section)
    seed, began = derive_seed(run.profile.seed, "fingerprint", name), time.monotonic()
    try:
        queries = make_queries_by(run, scheme, count=run.profile.queries, seed=seed)
    except NotEnoughQueriesError as error:
        return {"shortage": str(error)}
    seconds = round(time.monotonic() - began, 1)
    metrics = measure(run, name, queries, *score_suspects(run, queries))
    return {
        "queries": len(queries),
        "query_set": queries.digest,
        "candidates": queries.calibration.candidates if queries.calibration else None,
        "source_score": queries.card["source_score"],
        "seconds": seconds,
        **{key: metrics[key] for key in FIGURES},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where the run of digits lies.")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="Settings, such as another seed.")
    parser.add_argument("--note", default="", help="How the zoo's seed was drawn.")
    arguments = parser.parse_args()
    main(Run.open("digits", params=arguments.params, out=arguments.out), arguments.note)
