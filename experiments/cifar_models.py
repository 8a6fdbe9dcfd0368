"""How accurate single models of the profile ``cifar10`` get, trained one by one: ``… --data FOLDER MODEL_ID …``.

Builds each model as the zoo does, with forward passes in bfloat16 also on a CPU, and adds it to
``results/cifar10-models.json``. A model takes minutes to hours. ``--data`` is that of ``nf run``;
``python -m tools.results.tables`` puts the record on ``docs/results/accuracy.md``.
"""

import argparse
import io
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from PIL import Image
from pyarrow import parquet

from nf.core.config import Profile, load_profile
from nf.core.files import read_json, write_json
from nf.data import prepare_splits
from nf.models import FULL_SIZE, resolve_device
from nf.stages.image_folder import with_images_from
from nf.stages.provenance import git_commit, machine, versions
from nf.zoo import ZooPlan, build_model

ROOT = Path(__file__).resolve().parent.parent
SCHEDULE = ("epochs", "batch_size", "learning_rate")


def main(arguments: argparse.Namespace) -> None:
    """Train the models one after another, and record each when it is done."""
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.data
        if arguments.compress_again is not None:
            data = compressed(data, Path(folder) / "data", arguments.compress_again)
        profile = load_profile(ROOT / "params.yaml", "cifar10")
        profile = _changed(with_images_from(profile, data) if data else profile, arguments)
        zoo = profile.zoo
        splits = prepare_splits(profile.data, seed=profile.seed)
        plan = ZooPlan(profile, splits.card)
        device = resolve_device(profile.execution.device)
        for model_id in arguments.models:
            started = time.monotonic()
            card = build_model(plan, model_id, splits, Path(folder), device=device)
            schedule = asdict(plan.training(plan.lineage[model_id].architecture))
            facts = {
                "model": model_id,
                "width": zoo.width(card["architecture"]),
                "full_size": card["architecture"] in zoo.full_size,
                "images": len(splits[card["data"]].images),
                **{key: schedule[key] for key in SCHEDULE},
                "test_images": len(splits["test"].images),
                "test_accuracy": card["test_accuracy"],
                "seconds": round(time.monotonic() - started),
                "device": torch.cuda.get_device_name() if device == "cuda" else machine(),
                "files": arguments.files,
                "compressed_again": arguments.compress_again,
                "commit": git_commit(ROOT),
            }
            print(facts, flush=True)
            add(facts, arguments.record)


def _changed(profile: Profile, arguments: argparse.Namespace) -> Profile:
    """``profile`` with the schedule and the networks that the command line asks for."""
    wanted = {key: getattr(arguments, key) for key in SCHEDULE}
    changes = {key: value for key, value in wanted.items() if value is not None}
    zoo = replace(profile.zoo, precision="bfloat16", training=replace(profile.zoo.training, **changes))
    if arguments.width is not None:
        zoo = replace(zoo, widths={"default": arguments.width})
    if arguments.full_size is not None:
        zoo = replace(zoo, full_size=tuple(FULL_SIZE) if arguments.full_size else ())
    return replace(profile, zoo=zoo)


def compressed(data: Path, target: Path, quality: int) -> Path:
    """The Parquet files below ``data`` in ``target``, their images once more compressed; returns ``target``."""
    for path in data.glob("*/*.parquet"):
        table = parquet.read_table(path)
        rows = table.to_pylist()
        column = next(name for name, value in rows[0].items() if isinstance(value, dict))
        for row in rows:
            buffer = io.BytesIO()
            image = Image.open(io.BytesIO(row[column]["bytes"])).convert("RGB")
            image.save(buffer, format="JPEG", quality=quality)
            row[column]["bytes"] = buffer.getvalue()
        copy = target / path.relative_to(data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(rows, schema=table.schema), copy)
    return target


def add(facts: dict[str, Any], record: Path) -> None:
    """Put one model into the record, in the place of an earlier run under the same schedule."""
    known = read_json(record)["models"] if record.exists() else []
    same = ("model", "width", "full_size", "images", *SCHEDULE, "compressed_again", "device")
    kept = [each for each in known if any(each[key] != facts[key] for key in same)]
    write_json(record, {"versions": versions(), "models": [*kept, facts]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL_ID")
    parser.add_argument("--data", type=Path, help="Folder with Parquet files. [default: what the profile names]")
    parser.add_argument("--files", default="", help="What they are, such as JPEG copies of quality 50.")
    parser.add_argument(
        "--compress-again", type=int, metavar="QUALITY", help="As JPEG, the files in --data, to see what that costs."
    )
    parser.add_argument("--width", type=float, help="Of the networks. [default: the profile's]")
    parser.add_argument(
        "--full-size", action=argparse.BooleanOptionalAction, help="Stems halve no image. [default: the profile's]"
    )
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--record", type=Path, default=ROOT / "results" / "cifar10-models.json")
    arguments = parser.parse_args()
    if arguments.compress_again is not None and arguments.data is None:
        parser.error("--compress-again: expected a folder of Parquet files in --data, got none")
    main(arguments)
