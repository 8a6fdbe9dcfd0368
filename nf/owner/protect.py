"""``nf.protect``: from a model and images in memory to a query set, in one call."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nf.core.config import check_profile_name
from nf.core.errors import ConfigError, NFError
from nf.core.files import atomic_path, read_json, sha256_file, sha256_json, write_json
from nf.core.interface import NOTHING_STATED, Interface
from nf.core.paths import Layout
from nf.core.progress import show_progress
from nf.core.queries import QuerySet
from nf.models import network_digest
from nf.owner.introduce import Introduction, Wishes, introduce
from nf.owner.plan import check_wanted, plan_profile
from nf.owner.section import parse_profile
from nf.stages.costs import CostLog, Utilisation
from nf.stages.deadline import Deadline
from nf.stages.graph import Wanted, all_parts, select
from nf.stages.run import Run
from nf.stages.runner import make_parts

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""(N, C, H, W) uint8 images in [0, 255] and (N,) class indices."""


def protect(
    model: str | Path | nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    test: Labelled | None = None,
    others: Labelled | None = None,
    class_names: tuple[str, ...] = (),
    weights: str | Path | None = None,
    interface: Interface | None = None,
    image_size: int | None = None,
    minutes: float | None = None,
    scheme: str = "naturalfinger",
    name: str = "own",
    out: Path = Path("out"),
) -> QuerySet:
    """A calibrated query set for a model of one's own: what ``nf init`` and ``nf run`` do, with the same defaults.

    Args:
        model: what ``nf init --model`` takes, or a module from (N, C, H, W) float32 to logits, which is asked as a
            black box (it is exported; its weights are not changed by thieves).
        images: (N, C, H, W) uint8 images that the model learned from, C = 1 or 3.
        labels: (N,) class index of each image, 0 and up without gaps.
        test: images that it did not learn from, with labels.
        others: images of the same classes that it never saw, with labels, for independent models.
        class_names: name of each class.
        weights: file with the model's weights.
        interface: how it is asked, as far as that is known; the rest is found.
        image_size: pixels of a side of the queries: 16, 32, 64 or 128; by default 32, 64 on a GPU.
        minutes: time that there is for all of it; by default what it needs.
        scheme: what makes the queries: ``naturalfinger``; or ``akh``, which takes mistakes of the model, and no GAN.
        name: name of the folder below ``out`` that gets all artifacts; what is there already is not made again.
        out: folder of artifacts.

    Raises:
        DataError: the images are too few, or not as stated.
        ConfigError: the model cannot be opened, or does not know these classes.
        UnknownNameError: there is no such scheme for a model of one's own.
        NFError: a step failed; the message names it.
    """
    check_profile_name(name)
    check_wanted(scheme, minutes)
    layout = Layout(out / name)
    given = layout.root / "given"
    parts = {"train": (images, labels), "test": test, "others": others}
    places = {part: _save(given / f"{part}.npz", pair, class_names) for part, pair in parts.items() if pair is not None}
    wishes = Wishes(
        _export(model, images, given / "model.pt2", interface) if isinstance(model, nn.Module) else str(model),
        str(places["train"]),
        weights=None if weights is None else str(weights),
        test=str(places["test"]) if "test" in places else None,
        others=str(places["others"]) if "others" in places else None,
        interface=interface or NOTHING_STATED,
        image_size=image_size,
    )
    met = introduce(wishes)
    section = _planned(layout.root / "plan.json", met, places, name, scheme, minutes)
    with show_progress(name) as progress, Utilisation() as utilisation:
        run = Run(parse_profile(section, name), layout, progress)
        deadline = Deadline()
        wanted = Wanted.of(run.profile, schemes=[scheme])
        todo = select(all_parts(run, wanted, deadline), [f"fingerprint@{scheme}"])
        missing = make_parts(run, todo, deadline, CostLog(run, utilisation), begun=lambda _: None)
    if missing:
        part, reason = next(iter(missing.items()))
        raise NFError(f"{part}: {reason}")
    return QuerySet.load(layout.fingerprint(scheme))


def _planned(
    path: Path, met: Introduction, images: Mapping[str, Path], name: str, scheme: str, minutes: float | None
) -> dict[str, Any]:
    """The section of the profile, and the same for the same model and images: a plan follows from measured times.

    Another scheme is made with the models that there are.
    """
    digests = {part: sha256_file(each) for part, each in images.items()}
    known = {"model": network_digest(met.own), "image_size": met.image_size, "minutes": minutes}
    of = sha256_json({**digests, **known})
    if path.exists() and (kept := read_json(path)).get("of") == of:
        return dict(kept["section"])
    section, _ = plan_profile(met, name, scheme=scheme, minutes=minutes)
    write_json(path, {"of": of, "section": section})
    return section


def _save(path: Path, pair: Labelled, class_names: tuple[str, ...]) -> Path:
    images, labels = map(np.asarray, pair)
    labels = labels[:, 0] if labels.shape[1:] == (1,) else labels
    whole = labels.ndim == 1 and labels.dtype.kind in "iu"
    if images.dtype != np.uint8 or images.ndim != 4 or not whole or not 0 < len(images) == len(labels):
        raise ConfigError(
            f"images: expected uint8 (N, C, H, W) and as many integer labels, got {images.dtype} {images.shape} and "
            f"{labels.dtype} {labels.shape}"
        )
    arrays: dict[str, NDArray[Any]] = {"images": images, "labels": labels.astype(np.int64)}
    if class_names:
        arrays["names"] = np.array(class_names)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return path


def _export(model: nn.Module, images: NDArray[np.uint8], path: Path, interface: Interface | None) -> str:
    """The module as a program that takes any number of images of the size that is stated, or else of ``images``'."""
    how = interface or NOTHING_STATED
    example = torch.zeros(2, how.channels_taken(images.shape[1]), *(how.size or images.shape[2:]))
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    try:
        program = torch.export.export(deepcopy(model).eval(), (example,), dynamic_shapes=({0: batch},))
    except Exception as error:  # torch's errors have no closer base
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"model: expected a module that torch.export.export takes: {reason}") from error
    # As an open file: torch puts a path's name into the archive, and equal modules are to give equal bytes.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.export.save(program, file)
    return str(path)
