"""NaturalFinger's settings on digits, on zoos of two seeds: ``python -m experiments.settings --out FOLDER``.

Each zoo has models, GAN and suspects of its own; ``results/digits.json`` is of seed 0. What knockoffs among the
training models change is measured, too. What is there is kept, so a run that was stopped goes on with the same command;
the record is written after each query set.
"""

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nf.core.threads import configure_math_libraries

configure_math_libraries()

from nf.core.config import VariantConfig, VariantsConfig  # noqa: E402 - the environment is read at import
from nf.core.files import read_json, write_json  # noqa: E402
from nf.core.paths import Layout  # noqa: E402
from nf.core.variants import VariantId  # noqa: E402
from nf.stages.graph import Wanted, all_parts, select  # noqa: E402
from nf.stages.provenance import git_commit, machine, versions  # noqa: E402
from nf.stages.run import Run  # noqa: E402
from nf.stages.variant import variant as make_variant  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "settings-digits.json"

SETTINGS: dict[str, dict[str, Any]] = {"whatever the labels": {"pair_share": 1.0}, "in use": {}}
"""Changes of the profile's section, by what they amount to."""

KNOCKOFFS = {
    "distill-resnet34-source-t2": "knockoff-resnet34-source-t1",
    "distill-vgg13_bn-source-t2": "knockoff-vgg13_bn-source-t1",
    "distill-resnet34-mirror-t1": "knockoff-resnet34-mirror-t1",
    "distill-vgg16_bn-mirror-t1": "knockoff-vgg13_bn-mirror-t1",
}
"""Training models by those in whose place they come, as many as before, in the setting ``WITH_KNOCKOFFS``."""

WITH_KNOCKOFFS = "in use, with knockoffs"
FIGURES = ("aruc", "roc_auc", "tpr_at_fpr_0", "at_threshold")


def main(out: Path, seeds: list[int], draws: list[int]) -> None:
    """Build what is missing of each zoo, make the query sets and record how they fare."""
    rows = []
    for seed in seeds:
        for run in _runs_of(seed, out):
            for part in select(all_parts(run, Wanted.of(run.profile, gans=["sagan"])), ["export", "gan@sagan"]):
                if not part.is_there():
                    print(f"{run.layout.root}: {part.name}", flush=True)
                    part.make()
            for name, variant in run.profile.variants.each.items():
                for draw in draws:
                    path = run.layout.variant(VariantId(name, draw))
                    if not path.exists():
                        make_variant(run, str(VariantId(name, draw)))
                    row = {"zoo": seed, "setting": name, "changes": variant.changes, "draw": draw, **_figures(path)}
                    rows.append(row)
                    print(row, flush=True)
                    facts = {"machine": machine(), "versions": versions(), "commit": git_commit(ROOT)}
                    what = "query sets of NaturalFinger on digits"
                    write_json(RECORD, {"what": what, "knockoffs": KNOCKOFFS, "query_sets": rows, **facts})


def _runs_of(seed: int, out: Path) -> Iterator[Run]:
    """The profile under another seed, with the settings as its variants; then with knockoffs among its training models.

    The second begins as a copy of the first.
    """
    run = _variants_of(Run.open("digits", params=ROOT / "params.yaml"), SETTINGS)
    run = Run(replace(run.profile, seed=seed), Layout(out / f"seed-{seed}"))
    yield run
    layout = Layout(out / f"seed-{seed}-knockoffs")
    if not layout.root.exists():
        shutil.copytree(run.layout.root, layout.root)
    pool = run.profile.zoo.pool
    positive, negative = (
        tuple(KNOCKOFFS.get(model, model) for model in side) for side in (pool.positive, pool.negative)
    )
    zoo = replace(run.profile.zoo, pool=replace(pool, positive=positive, negative=negative))
    yield Run(replace(_variants_of(run, {WITH_KNOCKOFFS: {}}).profile, zoo=zoo), layout)


def _variants_of(run: Run, settings: dict[str, dict[str, Any]]) -> Run:
    each = {name: VariantConfig(changes=changes) for name, changes in settings.items()}
    variants = VariantsConfig(queries=run.profile.queries, each=each)
    return replace(run, profile=replace(run.profile, variants=variants))


def _figures(path: Path) -> dict[str, Any]:
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
