"""Stage ``detect``: would a thief's detector refuse the queries (paper, table 2)? And one who knows more?"""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor

from nf.core.files import write_json
from nf.core.lineage import SOURCE_ID
from nf.core.queries import QuerySet
from nf.core.sections import parse_section
from nf.core.seeds import derive_seed
from nf.data import Splits
from nf.detection import DetectorConfig, abnormal_share, fgsm_images, noisy_images, train_detector
from nf.fingerprints.networks import to_bytes
from nf.gan import Gan, load_gan, train_gan
from nf.gan.artifacts import CARD_FILE
from nf.gan.registry import find_gan
from nf.models import load_model, resolve_device
from nf.stages.run import Run

Trial = tuple[Tensor, Tensor, dict[str, Tensor]]
"""Abnormal images to learn from, queries to be judged, and held-out abnormal images by kind."""


def detect(run: Run, scheme: str) -> Path:
    """Train detectors of three kinds, let each judge the queries of ``scheme``, and return the path of the record.

    ``naive`` learned from noise and FGSM (the paper's), ``other_gan`` from samples of a GAN that made no query, and
    ``half_of_queries`` from one half of the queries and judges the other. Detectors learn from the fine-tuning split;
    ``accuracy`` is what they reach on the test split and on further abnormal images. All schemes meet the same naive
    detectors.

    Raises:
        ArtifactError: the query set, the source model or the GAN is missing or damaged.
        ConfigError: the section ``detection`` cannot be used.
    """
    config = parse_section(DetectorConfig, run.profile.detection, "detection")
    splits = Splits.load(run.layout.data)
    device = resolve_device(run.profile.execution.device)
    normal, held_out = (torch.from_numpy(splits[name].images).to(device) for name in ("finetune", "test"))
    query_set = QuerySet.load(run.layout.fingerprint(scheme))
    queries = torch.from_numpy(query_set.images).to(device)
    source = load_model(run.layout.zoo / SOURCE_ID)[0].to(device)
    stranger = _other_gan(run, query_set, splits, device)

    def naive(generator: torch.Generator) -> Trial:
        made = [
            {"noise": noisy_images(part, std=config.noise, generator=generator)}
            | {"fgsm": fgsm_images(source, part, epsilon=config.epsilon)}
            for part in (normal, held_out)
        ]
        return torch.cat(list(made[0].values())), queries, made[1]

    def other_gan(generator: torch.Generator) -> Trial:
        return _samples(stranger, len(normal), generator), queries, {"samples": _samples(stranger, 256, generator)}

    def half_of_queries(generator: torch.Generator) -> Trial:
        known, unknown = torch.randperm(len(queries), generator=generator).tensor_split(2)
        return queries[known], queries[unknown], {}

    record: dict[str, Any] = {"scheme": scheme, "query_set": query_set.digest, "queries": len(queries)}
    owners: dict[str, Callable[[torch.Generator], Trial]] = {
        "naive": naive,
        "other_gan": other_gan,
        "half_of_queries": half_of_queries,
    }
    for done, (name, draw) in enumerate(owners.items(), start=1):
        seeds = [derive_seed(run.profile.seed, "detect", name, number) for number in range(config.runs)]
        record[name] = _summary([_judge(draw, normal, held_out, config, seed) for seed in seeds])
        run.progress(done, len(owners), name)
    record["other_gan"]["gan"] = stranger.name
    path = run.layout.detection(scheme)
    write_json(path, record)
    return path


def _judge(
    draw: Callable[[torch.Generator], Trial], normal: Tensor, held_out: Tensor, config: DetectorConfig, seed: int
) -> dict[str, float]:
    """One detector: its ``detection_rate`` on queries, and its accuracy on each kind of held-out images."""
    abnormal, queries, kinds = draw(torch.Generator().manual_seed(seed))
    detector = train_detector(normal, abnormal, config, seed=seed)
    accuracy = {"normal": 1 - abnormal_share(detector, held_out)}
    accuracy |= {kind: abnormal_share(detector, images) for kind, images in kinds.items()}
    return {"detection_rate": abnormal_share(detector, queries), **accuracy}


def _summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    rates = [result.pop("detection_rate") for result in runs]
    return {
        "detection_rate": round(mean(rates), 6),
        "detection_rate_std": round(stdev(rates), 6) if len(rates) > 1 else 0.0,
        "runs": [round(rate, 6) for rate in rates],
        "accuracy": {kind: round(mean(result[kind] for result in runs), 6) for kind in runs[0]},
    }


@torch.no_grad()
def _samples(gan: Gan, count: int, generator: torch.Generator) -> Tensor:
    latents, labels = gan.sample_latents(count, generator)
    parts = zip(latents.split(256), labels.split(256), strict=True)
    return torch.cat([to_bytes(gan.generate(*part)) for part in parts])


def _other_gan(run: Run, queries: QuerySet, splits: Splits, device: str) -> Gan:
    """A GAN of the profile that made none of the queries; where there is none, one of the same kind is trained anew."""
    card: Mapping[str, Any] = queries.card.get("gan") or {}
    others = [name for name in run.profile.gans if name != card.get("name")]
    for name in others:
        if (run.layout.gan(name) / CARD_FILE).exists():
            return load_gan(run.layout.gan(name), device)
    name = str(card.get("name", next(iter(run.profile.gans))))
    own = splits["A"]

    def report(step: int, steps: int, _: Mapping[str, float]) -> None:
        run.progress(step, steps, f"a second {name}")

    return train_gan(
        name,
        parse_section(find_gan(name).config, run.profile.section("gans", name), f"gans.{name}"),
        torch.from_numpy(own.images),
        torch.from_numpy(own.labels),
        num_classes=splits.num_classes,
        seed=derive_seed(run.profile.seed, "detect", "gan", name),
        folder=run.layout.decoy(name),
        device=device,
        progress=report,
    )
