"""The paper's setting on one GPU, in one plain script: ``python benchmarks/gpu.py --data FOLDER --out FOLDER``.

Zoo, SAGAN, queries of all schemes, scores, metrics and detection; then one record of it all, with contact sheets, in
``OUT/record``. What is there is kept: a run that was stopped, by ``--max-seconds`` or otherwise, goes on with the same
command. It needs torch and what ``nf`` needs, and nothing of Prefect, MLflow or DVC.

``--data`` holds ``cifar10/`` and, for what thieves ask about, ``cifar100/`` or ``tiny-imagenet-32/``, each with
``train*.parquet``, the first also ``test*.parquet``. Without it the images are those that the profile names.

Kernels of the ``--workers`` processes run at once only under NVIDIA's multi-process service: start it with
``nvidia-cuda-mps-control -d`` before. Without it the processes take turns.
"""

import argparse
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # a bare machine has the sources and has not installed them

_NEEDED = ("torch", "numpy", "yaml", "safetensors", "PIL", "sklearn", "scipy", "pyarrow", "rich", "jinja2")
_NEEDED += ("matplotlib", "onnx", "onnxscript", "onnxruntime")
_OWN, _ASKED_ABOUT = ("cifar10",), ("cifar100", "tiny-imagenet-32")
_SHOWN = 10  # queries of each scheme on the contact sheet


def main(arguments: argparse.Namespace) -> None:
    """Do what is left within the budget, then write the record."""
    from nf.core.threads import configure_math_libraries

    configure_math_libraries()

    from gpu_parts import OUT_OF_TIME, Budget, OutOfTimeError, parts, work
    from ledger import Ledger, Utilisation

    from nf.core.progress import show_progress

    budget = Budget(arguments.max_seconds)
    with show_progress(arguments.profile) as shown, Utilisation() as utilisation:

        def progress(done: int, total: int, what: str) -> None:
            shown(done, total, what)
            if done < total and budget.left() <= 0:
                raise OutOfTimeError

        run = open_run(arguments, progress)
        schemes = arguments.schemes or list(run.profile.schemes)
        ledger = Ledger(run.layout.root / "ledger.json", utilisation)
        todo = parts(run, budget, schemes, arguments.gan, arguments.variants, arguments.zoo_seconds)
        missing = work(run, todo, budget, ledger)
    path = write_record(run, arguments, schemes, ledger, missing)
    print(f"{len(todo) - len(missing)} of {len(todo)} parts are there, written to {path}")
    for name, reason in missing.items():
        print(f"{name}: {reason}")
    if any(reason != OUT_OF_TIME for reason in missing.values()):
        sys.exit(1)


def open_run(arguments: argparse.Namespace, progress: Callable[[int, int, str], None]) -> Any:
    """The profile with its images in ``--data``, where that is given, and its artifacts below ``--out``."""
    from nf.stages.run import Run

    run = Run.open(arguments.profile, params=arguments.params, out=arguments.out, progress=progress)
    profile = run.profile
    if arguments.workers:
        profile = replace(profile, execution=replace(profile.execution, workers=arguments.workers))
    if arguments.data:
        own = parquet(arguments.data, _OWN, profile.data.source)
        asked_about = replace(parquet(arguments.data, _ASKED_ABOUT, profile.data.knockoff), test=None)
        profile = replace(profile, data=replace(profile.data, source=own, knockoff=asked_about))
    return replace(run, profile=profile)


def parquet(folder: Path, names: tuple[str, ...], source: Any) -> Any:
    """``source`` read from the Parquet files in the first of the sub-folders ``names`` that there is.

    Raises:
        DataError: there is none, or a part is in several files.
    """
    from nf.core.errors import DataError

    for name in names:
        files = {part: sorted((folder / name).glob(f"{part}*.parquet")) for part in ("train", "test")}
        for part, found in files.items():
            if len(found) > 1:
                raise DataError(f"--data: expected one {name}/{part}*.parquet in {folder}, got {len(found)}; join them")
        if files["train"]:
            return replace(source, kind="parquet", **{part: str(found[0]) for part, found in files.items() if found})
    raise DataError(f"--data: expected {' or '.join(f'{name}/train*.parquet' for name in names)} in {folder}, got none")


def write_record(
    run: Any, arguments: argparse.Namespace, schemes: list[str], ledger: Any, missing: dict[str, str]
) -> Path:
    """Write what there is, as far as there are models, and the sheets; returns the path of the record."""
    from record import gather

    from nf.core.files import write_json
    from nf.core.paths import SAMPLES_FILE
    from nf.stages.gan import QUALITY_FILE

    folder = arguments.out / "record"
    built = any(run.layout.zoo.glob("scratch-*/card.json"))
    facts = {
        **(gather(run, arguments.note) if built else {"what": f"one run of the profile {run.profile.name}"}),
        "source": {part: vars(getattr(run.profile.data, part)) for part in ("source", "knockoff")},
        "hardware": hardware(),
        "parts": ledger.parts,
        "whole": ledger.whole,
        "missing": missing,
    }
    path = folder / f"{run.profile.name}.json"
    write_json(path, facts)
    draw_queries(run, schemes, folder / "queries.png")
    samples = run.layout.gan(arguments.gan) / SAMPLES_FILE
    if (samples.parent / QUALITY_FILE).exists():
        shutil.copyfile(samples, folder / samples.name)
    return path


def hardware() -> dict[str, Any]:
    """The device that the run computed on; ``mps`` says whether NVIDIA's multi-process service runs."""
    import torch

    if not torch.cuda.is_available():
        return {"device": "cpu", "threads": torch.get_num_threads()}
    properties = torch.cuda.get_device_properties(0)
    return {
        "device": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "mps": (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")) / "control").exists(),
    }


def draw_queries(run: Any, schemes: list[str], path: Path) -> None:
    """A row of queries for each scheme that has made them."""
    import numpy as np

    from nf.core.paths import CARD_FILE
    from nf.core.queries import QuerySet
    from nf.core.sheets import save_sheet
    from nf.report.names import scheme_name

    made = [name for name in schemes if (run.layout.fingerprint(name) / CARD_FILE).exists()]
    if made:
        rows = [QuerySet.load(run.layout.fingerprint(name)).images[:_SHOWN] for name in made]
        captions = [text for name in made for text in (scheme_name(name), *[""] * (len(rows[0]) - 1))]
        save_sheet(path, np.concatenate(rows), captions, columns=len(rows[0]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="Folder of image Parquet files; see above.")
    parser.add_argument("--out", type=Path, required=True, help="Where artifacts and the record go.")
    parser.add_argument("--max-seconds", type=float, default=float("inf"), help="Stop cleanly after so long.")
    parser.add_argument(
        "--zoo-seconds", type=float, default=float("inf"), help="Begin no model after so long; go on to the query sets."
    )
    parser.add_argument("--profile", default="cifar10")
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="The settings.")
    parser.add_argument("--schemes", nargs="*", help="Only these.")
    parser.add_argument("--gan", default="sagan")
    parser.add_argument("--variants", nargs="*", default=[], help="Variants of the profile, under seed 0.")
    parser.add_argument("--workers", type=int, help="Processes that build and export models, not the profile's number.")
    parser.add_argument("--note", default="", help="What is particular about this run, such as the files' origin.")
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        sys.exit(f"expected {', '.join(_NEEDED)}; missing: {', '.join(absent)}: pip install '.[train]' brings them")
    main(parser.parse_args())
