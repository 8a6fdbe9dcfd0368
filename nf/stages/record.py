"""What a run found, as one record: figures, accuracies, times, and what they come from."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nf.core.errors import ArtifactError
from nf.core.files import read_json, write_bytes, write_json
from nf.core.paths import CARD_FILE, QUALITY_FILE, SAMPLES_FILE, SUMMARY_FILE
from nf.core.queries import QuerySet
from nf.core.sheets import save_sheet
from nf.report import scheme_name
from nf.stages.compare import comparison_variants
from nf.stages.freshness import query_set_is_current
from nf.stages.gan import trained_gans
from nf.stages.graph import Wanted
from nf.stages.provenance import git_commit, machine, versions
from nf.stages.run import Run

_logger = logging.getLogger(__name__)

_SHOWN = 10  # queries of each scheme on the contact sheet
_PIPE_FOLDER = "/tmp/nvidia-mps"  # NVIDIA's default


def write_record(run: Run, wanted: Wanted, folder: Path, *, note: str = "", facts: Mapping[str, Any]) -> Path:
    """Write ``<profile>.json`` into ``folder``, contact sheets into ``<profile>/`` beside it, and return the path.

    Args:
        run: the run whose artifacts are read, as far as they are there.
        wanted: the schemes, and the GANs of which the first gets a sheet.
        folder: may hold records and sheets of other profiles.
        note: what is particular about this run.
        facts: what else the record says, such as costs and what is missing.
    """
    path, sheets = folder / f"{run.profile.name}.json", folder / run.profile.name
    built = any(run.layout.zoo.glob(f"scratch-*/{CARD_FILE}"))
    found = gather(run, note) if built else {"what": _what(run)}
    source = {part: vars(getattr(run.profile.data, part)) for part in ("source", "knockoff")}
    write_json(path, {**found, "source": source, "hardware": hardware(), **facts})
    _draw_queries(run, wanted.schemes, sheets / "queries.png")
    for name in wanted.gans[:1]:
        samples = run.layout.gan(name) / SAMPLES_FILE
        if (samples.parent / QUALITY_FILE).exists():
            write_bytes(sheets / samples.name, samples.read_bytes())
    return path


def gather(run: Run, note: str) -> dict[str, Any]:
    """What a run has found so far; images and at least one model from scratch must be there."""
    cards = [read_json(path) for path in sorted(run.layout.zoo.glob(f"*/{CARD_FILE}"))]
    data = read_json(run.layout.data / CARD_FILE)
    return {
        "what": _what(run),
        "note": note,
        "seed": run.profile.seed,
        "n": {"runs": 1, "models": len(cards), "queries": run.profile.queries},
        "images": data["sizes"],
        "data_hash": data["hashes"]["A"],
        "schemes": _of_present_sets(run, run.layout.metrics),
        "gans": {name: read_json(run.layout.gan(name) / QUALITY_FILE) for name in trained_gans(run)},
        "detection": _of_present_sets(run, run.layout.detection),
        "variants": comparison_variants(run),
        "zoo": _zoo(run, cards),
        "seconds": run.seconds(),
        "machine": machine(),
        "versions": versions(),
        "commit": git_commit(),
    }


def hardware() -> dict[str, Any]:
    """The device that the run computed on; ``mps`` says whether NVIDIA's multi-process service runs."""
    if not torch.cuda.is_available():
        return {"device": "cpu", "threads": torch.get_num_threads()}
    properties = torch.cuda.get_device_properties(0)
    return {
        "device": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "mps": (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", _PIPE_FOLDER)) / "control").exists(),
    }


def _what(run: Run) -> str:
    return f"one run of the profile {run.profile.name}"


def _of_present_sets(run: Run, place: Callable[[str], Path]) -> dict[str, Any]:
    """By scheme what the record in ``place`` says, where it is about the query set that is there, and that is current.

    What is damaged, or was made with other settings, images or models, is left out with a warning.
    """
    found = {}
    for name in run.profile.schemes:
        if not (place(name).exists() and (run.layout.fingerprint(name) / CARD_FILE).exists()):
            continue
        try:
            record, queries = read_json(place(name)), QuerySet.load(run.layout.fingerprint(name))
            current = record.get("query_set") == queries.digest and query_set_is_current(run, name)
        except ArtifactError as error:
            _logger.warning("%s is left out of the record: %s", name, error)
            continue
        if current:
            found[name] = record
        else:
            _logger.warning("%s is left out of the record, as it is of other settings, images or models", place(name))
    return found


def _zoo(run: Run, cards: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracies on the test half, and how many thieves side with their victim once all models are there."""
    summary = run.layout.zoo / SUMMARY_FILE
    scratch = [card["test_accuracy"] for card in cards if card["attack"] == "train" and card["pool"] == "suspects"]
    return {
        "accuracies": {card["id"]: card["test_accuracy"] for card in cards},
        "accuracy_mean": round(sum(card["test_accuracy"] for card in cards) / len(cards), 4),
        "scratch_accuracy_min": min(scratch),
        "scratch_accuracy_mean": round(sum(scratch) / len(scratch), 4),
        "thieves_faithful": read_json(summary)["extraction"]["faithful"] if summary.exists() else None,
    }


def _draw_queries(run: Run, schemes: Sequence[str], path: Path) -> None:
    """A row of queries for each scheme that has made them."""
    made = [name for name in schemes if (run.layout.fingerprint(name) / CARD_FILE).exists()]
    if made:
        rows = [QuerySet.load(run.layout.fingerprint(name)).images[:_SHOWN] for name in made]
        captions = [text for name in made for text in (scheme_name(name), *[""] * (len(rows[0]) - 1))]
        save_sheet(path, np.concatenate(rows), captions, columns=len(rows[0]))
