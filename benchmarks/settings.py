"""NaturalFinger's settings on digits, on zoos of two seeds: ``python benchmarks/settings.py --out FOLDER``.

Each zoo has models, GAN and suspects of its own; ``results/digits.json`` is of seed 0. What is there is kept, so a run
that was stopped goes on with the same command; the record is written after each query set.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from nf.core.threads import configure_math_libraries

configure_math_libraries()

from gpu_parts import parts  # noqa: E402 - the environment is read at import

from nf.core.config import VariantConfig, VariantsConfig  # noqa: E402
from nf.core.files import read_json, write_json  # noqa: E402
from nf.core.paths import Layout  # noqa: E402
from nf.stages import load_stage  # noqa: E402
from nf.stages.facts import git_commit, machine, versions  # noqa: E402
from nf.stages.run import Run  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "settings-digits.json"

SETTINGS = {
    "few moved for long": {"shortlist": 700, "epochs": 30, "strength": {}},
    "whatever the labels": {"pair_share": 1.0},
    "in use": {},
}
"""Changes of the profile's section, by what they amount to."""

FIGURES = ("aruc", "roc_auc", "tpr_at_fpr_0", "at_threshold")


def main(out: Path, seeds: list[int], draws: list[int]) -> None:
    """Build what is missing of each zoo, make the query sets and record how they fare."""
    rows = []
    for seed in seeds:
        run = _run_of(seed, out)
        for part in parts(run, [], "sagan", [], lambda: float("inf")):
            if not part.done():
                print(f"zoo {seed}: {part.name}", flush=True)
                part.make()
        for name, changes in SETTINGS.items():
            for draw in draws:
                path = run.layout.variant(name, draw)
                if not path.exists():
                    load_stage("variant")(run, f"{name}/{draw}")
                rows.append({"zoo": seed, "setting": name, "changes": changes, "draw": draw, **_figures(path)})
                print(rows[-1], flush=True)
                facts = {"machine": machine(), "versions": versions(), "commit": git_commit(ROOT)}
                write_json(RECORD, {"what": "query sets of NaturalFinger on digits", "query_sets": rows, **facts})


def _run_of(seed: int, out: Path) -> Run:
    """The profile under another seed, with the settings as its variants and artifacts of its own."""
    run = Run.open("digits", params=ROOT / "params.yaml")
    each = {name: VariantConfig(changes=changes) for name, changes in SETTINGS.items()}
    variants = VariantsConfig(queries=run.profile.queries, each=each)
    return Run(replace(run.profile, seed=seed, variants=variants), Layout(out / f"seed-{seed}"))


def _figures(path: Path) -> dict:
    found = read_json(path)
    if "metrics" not in found:
        return {"shortage": found["shortage"]}
    return {key: found["metrics"][key] for key in FIGURES}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where zoos and query sets go.")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 0], help="Of the zoos.")
    parser.add_argument("--draws", type=int, nargs="*", default=[0, 1], help="Seeds of the query sets.")
    arguments = parser.parse_args()
    main(arguments.out, arguments.seeds, arguments.draws)
