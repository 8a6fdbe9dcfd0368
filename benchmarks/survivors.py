"""Which survivors of the screen become queries, and what it changes: ``python benchmarks/survivors.py --out FOLDER``.

On images, models and GAN of ``cifar10-small`` in FOLDER (``nf prepare``, ``nf zoo``, ``nf gan sagan``), latents
are moved once for each draw, and query sets are chosen from what survives in several ways, each asked of all suspects.
The record is written after each draw.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from nf.core.threads import configure_math_libraries

configure_math_libraries()

from torch import Tensor  # noqa: E402 - the environment is read at import

from nf.core.files import read_json, write_json  # noqa: E402
from nf.fingerprints import naturalfinger  # noqa: E402
from nf.fingerprints import screen as screening  # noqa: E402
from nf.stages.evaluate import measure  # noqa: E402
from nf.stages.fingerprint import make_queries  # noqa: E402
from nf.stages.provenance import git_commit, machine, versions  # noqa: E402
from nf.stages.run import Run  # noqa: E402
from nf.stages.score import score_suspects  # noqa: E402
from nf.stages.variant import with_fewer_models  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "survivors-cifar10-small.json"


def _mean(margins: Tensor) -> Tensor:
    return margins.mean((0, 1))


RANKINGS = {"mean margin": _mean, "steadiness": screening.margin_snr}
PAIR_SHARES = (0.025, 0.1, 1.0)
"""Of 40 queries one, four or any number from one pair of labels."""

COMMON = {"candidates": 2000, "shortlist": 160, "max_rounds": 1}
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


def _sets(run: Run, draw: int) -> list[dict]:
    run = with_fewer_models(run, MODELS)
    rows = []
    with _moved_once():
        for ranking, rank in RANKINGS.items():
            for share in PAIR_SHARES:
                section = {**run.profile.section("schemes", "naturalfinger"), **COMMON, "pair_share": share}
                with patch.object(screening, "steadiness", rank):
                    queries = make_queries(run, "naturalfinger", section, count=QUERIES, seed=draw)
                metrics = measure(run, "naturalfinger", queries, score_suspects(run, queries)[0])
                row = {"draw": draw, "ranking": ranking, "pair_share": share, "query_set": queries.digest}
                rows.append({**row, "funnel": queries.card["funnel"], **{key: metrics[key] for key in FIGURES}})
                print(rows[-1], flush=True)
    return rows


@contextmanager
def _moved_once() -> Iterator[None]:
    """Within the block, latents of one seed are moved once: their course does not depend on what is chosen later."""
    moved: dict[int, Tensor] = {}
    optimise = naturalfinger.optimise

    def remembered(*positional, seed: int, **named) -> Tensor:
        if seed not in moved:
            moved[seed] = optimise(*positional, seed=seed, **named)
        return moved[seed]

    with patch.object(naturalfinger, "optimise", remembered):
        yield


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where the run of cifar10-small lies.")
    parser.add_argument("--draws", type=int, nargs="*", default=[0, 1, 2, 3], help="Seeds of the query sets.")
    arguments = parser.parse_args()
    main(Run.open("cifar10-small", params=ROOT / "params.yaml", out=arguments.out), arguments.draws)
