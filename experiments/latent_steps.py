"""How finely latents move, and what detectors make of it: ``python -m experiments.latent_steps --out FOLDER``.

On images, models, GAN and detectors of ``cifar10-small`` that lie in FOLDER (``nf run detectors export --profile
cifar10-small``), query sets of NaturalFinger are made in ever more and shorter steps, from the same draws. Each is
asked of all suspects and shown to the detectors; so are samples as the GAN draws them. What is there is kept, so a run
that was stopped goes on with the same command, and several can share the work: ``--settings`` takes some of them.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nf.core.threads import configure_math_libraries

configure_math_libraries()

import torch  # noqa: E402 - the environment is read at import
from torch import Tensor  # noqa: E402

from nf.core.files import read_json, write_json  # noqa: E402
from nf.core.sections import parse_section  # noqa: E402
from nf.core.seeds import derive_seed  # noqa: E402
from nf.data import to_bytes  # noqa: E402
from nf.detection import abnormal_share, load_detectors  # noqa: E402
from nf.fingerprints import NaturalFinger, NaturalFingerConfig  # noqa: E402

# How far it moves latents is what is in question here.
from nf.fingerprints.naturalfinger.optimise import optimise  # noqa: E402
from nf.gan import load_gan  # noqa: E402
from nf.models import resolve_device  # noqa: E402
from nf.stages.evaluate import measure  # noqa: E402
from nf.stages.fingerprint import make_queries_by  # noqa: E402
from nf.stages.provenance import git_commit, machine, versions  # noqa: E402
from nf.stages.run import Run  # noqa: E402
from nf.stages.score import score_suspects  # noqa: E402
from nf.stages.variant import with_fewer_models  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "results" / "latent-steps-cifar10-small.json"

UNMOVED = "unmoved"
SETTINGS: dict[str, dict[str, Any]] = {
    UNMOVED: {},
    "60 steps": {"epochs": 60, "learning_rate": 10.0},
    "120 steps": {"epochs": 120, "learning_rate": 5.0},
    "300 steps": {"epochs": 300, "learning_rate": 2.0},
    "1000 steps": {"epochs": 1000, "learning_rate": 0.5},  # the paper's
}
"""Changes of the profile's section. With four models of each pool an epoch is one step."""

COMMON = {"candidates": 2000, "shortlist": 160, "max_rounds": 4}
QUERIES, MODELS, SAMPLES = 40, 4, 1000
FIGURES = ("aruc", "aruc_low", "aruc_high", "roc_auc", "at_threshold", "plus")


def main(run: Run, settings: list[str]) -> None:
    """Make what is missing of ``settings``, and record all that is there."""
    paths = {name: run.layout.root / "latent-steps" / f"{name.replace(' ', '-')}.json" for name in SETTINGS}
    facts = {"machine": machine(), "versions": versions(), "commit": git_commit(ROOT)}
    for name in settings:
        path = paths[name]
        if not path.exists():
            write_json(path, _unmoved(run) if name == UNMOVED else _moved(run, SETTINGS[name]))
        print(name, read_json(path), flush=True)
        rows = [{"setting": each, **read_json(there)} for each, there in paths.items() if there.exists()]
        what = "query sets of NaturalFinger on the models of cifar10-small, by the steps that latents take"
        common = {"queries": QUERIES, "training_models": 2 * MODELS, "samples": SAMPLES, "common": COMMON}
        write_json(RECORD, {"what": what, **common, "query_sets": rows, **facts})


def _unmoved(run: Run) -> dict[str, Any]:
    gan = load_gan(run.layout.gan("sagan"), resolve_device(run.profile.execution.device))
    generator = torch.Generator().manual_seed(derive_seed(run.profile.seed, "latent-steps"))
    latents, classes = gan.sample_latents(SAMPLES, generator)
    images = to_bytes(gan.generate_in_batches(latents, classes, 200))
    return {"length": _length(latents), "found": _found(run, images)}


def _moved(run: Run, changes: Mapping[str, Any]) -> dict[str, Any]:
    run = with_fewer_models(run, MODELS)
    section = {**run.profile.section("schemes", "naturalfinger"), **COMMON, **changes}
    moved: list[Tensor] = []  # latents at the end of their course, of each round

    def watched(*positional: Any, **named: Any) -> Tensor:
        moved.append(optimise(*positional, **named))
        return moved[-1]

    config = parse_section(NaturalFingerConfig, section, "schemes.naturalfinger")
    scheme = NaturalFinger(config, optimiser=watched)
    queries = make_queries_by(run, scheme, count=QUERIES, seed=run.profile.seed)
    metrics = measure(run, "naturalfinger", queries, *score_suspects(run, queries))
    return {
        "changes": changes,
        "query_set": queries.digest,
        "length": _length(torch.cat(moved)),
        "funnel": queries.card["funnel"],
        "found": _found(run, torch.from_numpy(queries.images)),
        **{key: metrics[key] for key in FIGURES},
    }


def _length(latents: Tensor) -> float:
    return round(float(latents.norm(dim=1).mean()), 3)


def _found(run: Run, images: Tensor) -> dict[str, list[float]]:
    """Shares that detectors take for abnormal, by what they learned from."""
    device = resolve_device(run.profile.execution.device)
    detectors, _ = load_detectors(run.layout.detectors, device)
    return {
        kind: [round(abnormal_share(each, images.to(device)), 6) for each in several]
        for kind, several in detectors.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Where the run of cifar10-small lies.")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=list(SETTINGS))
    arguments = parser.parse_args()
    main(Run.open("cifar10-small", params=ROOT / "params.yaml", out=arguments.out), arguments.settings)
