"""Which survivors of the screen become queries, and what it changes: ``python -m experiments.survivors --out FOLDER``.

On images, models and GAN of ``cifar10-small`` in FOLDER (``nf run zoo gan@sagan export --profile cifar10-small``),
latents are moved once for each draw, and query sets are chosen from what survives in several ways, each asked of all
suspects. The record is written after each draw.
"""

import argparse
from pathlib import Path
from typing import Any

from nf.core.threads import configure_math_libraries

configure_math_libraries()

from torch import Tensor  # noqa: E402 - the environment is read at import

from nf.core.files import read_json, write_json  # noqa: E402
from nf.core.sections import parse_section  # noqa: E402
from nf.fingerprints import NaturalFinger, NaturalFingerConfig  # noqa: E402

# How survivors are ranked is what is in question here.
from nf.fingerprints.naturalfinger.choose import Ranking, margin_snr  # noqa: E402
from nf.fingerprints.naturalfinger.optimise import optimise  # noqa: E402
from nf.stages.evaluate import measure  # noqa: E402
from nf.stages.fingerprint import make_queries_by  # noqa: E402
from nf.stages.provenance import git_commit, machine, versions  # noqa: E402
from nf.stages.run import Run  # noqa: E402
from nf.stages.score import score_suspects  # noqa: E402
from nf.stages.variant import with_fewer_models  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "survivors-cifar10-small.json"


def _mean(margins: Tensor) -> Tensor:
    return margins.mean((0, 1))


RANKINGS: dict[str, Ranking] = {"mean margin": _mean, "steadiness": margin_snr}
PAIR_SHARES = (0.025, 0.1, 1.0)
"""Of 40 queries one, four or any number from one pair of labels."""

COMMON = {"choice": "margin", "twins": False, "candidates": 2000, "shortlist": 160, "max_rounds": 1}
QUERIES, MODELS = 40, 4
FIGURES = ("aruc", "roc_auc", "tpr_at_fpr_0", "at_threshold")


def main(run: Run, draws: list[int]) -> None:
    """Add the query sets of each draw that is not in the record."""
    sets = read_json(RECORD)["query_sets"] if RECORD.exists() else []
    for draw in draws:
        if all(row["draw"] != draw for row in sets):
            sets += _sets(run, draw)
            what = "query sets of NaturalFinger on the models of cifar10-small, by which survivors become queries"
            common = {"queries": QUERIES, "training_models": 2 * MODELS, "common": COMMON}
            facts = {"machine": machine(), "versions": versions(), "commit": git_commit(ROOT)}
            write_json(RECORD, {"what": what, **common, "query_sets": sets, **facts})


def _sets(run: Run, draw: int) -> list[dict[str, Any]]:
    run = with_fewer_models(run, MODELS)
    own = run.profile.section("schemes", "naturalfinger")
    move = MovedOnce()
    rows = []
    for ranking, rank in RANKINGS.items():
        for share in PAIR_SHARES:
            section = {**own, **COMMON, "pair_share": share}
            config = parse_section(NaturalFingerConfig, section, "schemes.naturalfinger")
            scheme = NaturalFinger(config, optimiser=move, ranking=rank)
            queries = make_queries_by(run, scheme, count=QUERIES, seed=draw)
            metrics = measure(run, "naturalfinger", queries, *score_suspects(run, queries))
            row = {"draw": draw, "ranking": ranking, "pair_share": share, "query_set": queries.digest}
            rows.append({**row, "funnel": queries.card["funnel"], **{key: metrics[key] for key in FIGURES}})
            print(rows[-1], flush=True)
    return rows


class MovedOnce:
    """Moves latents of one seed once: their course does not depend on what is chosen later."""

    def __init__(self) -> None:
        self._moved: dict[int, Tensor] = {}

    def __call__(self, *positional: Any, seed: int, **named: Any) -> Tensor:
        """As ``optimise``."""
        if seed not in self._moved:
            self._moved[seed] = optimise(*positional, seed=seed, **named)
        return self._moved[seed]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where the run of cifar10-small lies.")
    parser.add_argument("--draws", type=int, nargs="*", default=[0, 1, 2, 3], help="Seeds of the query sets.")
    arguments = parser.parse_args()
    main(Run.open("cifar10-small", params=ROOT / "params.yaml", out=arguments.out), arguments.draws)
