"""Stage ``detect``: how many queries detectors find (paper, table 2), also those of a thief who knows half of them."""

from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import write_sealed
from nf.core.queries import QuerySet
from nf.core.sections import parse_section
from nf.core.seeds import derive_seed
from nf.data import Splits
from nf.detection import DetectorConfig, abnormal_share, load_detectors, train_detector
from nf.models import resolve_device
from nf.stages.run import Run


def detect(run: Run, scheme: str) -> Path:
    """Look for the queries of ``scheme`` with detectors of three kinds, and return the path of the record.

    ``naive`` and ``other_gan`` come from the stage ``detectors``; ``half_of_queries`` learn here from one half of the
    queries and are tested on the other. ``accuracy`` is measured on images that the detectors did not learn from.

    Raises:
        ArtifactError: the images, the query set or the detectors are missing or damaged, or detectors have learned
            from the very GAN that draws these queries.
        ConfigError: the section ``detection`` cannot be used, or there is but one query.
    """
    config = parse_section(DetectorConfig, run.profile.detection, "detection")
    splits = Splits.load(run.layout.data)
    device = resolve_device(run.profile.execution.device)
    query_set = QuerySet.load(run.layout.fingerprint(scheme))
    if len(query_set) < 2:
        raise ConfigError(f"queries: expected at least 2, of which a thief knows one half, got {len(query_set)}")
    queries = torch.from_numpy(query_set.images).to(device)
    detectors, card = load_detectors(run.layout.detectors, device)
    _check_gan(query_set, card["gan"])
    record: dict[str, Any] = {"scheme": scheme, "query_set": query_set.digest, "queries": len(queries)}
    for name, networks in detectors.items():
        record[name] = _summary([abnormal_share(each, queries) for each in networks], card["accuracy"][name])
    record["other_gan"]["gan"] = card["gan"]["name"]

    normal, held_out = (torch.from_numpy(splits[name].images).to(device) for name in ("finetune", "test"))
    found, accuracy = [], []
    for number in range(config.runs):
        seed = derive_seed(run.profile.seed, "detect", "half_of_queries", number)
        order = torch.randperm(len(queries), generator=torch.Generator().manual_seed(seed))
        known, unknown = queries[order].tensor_split(2)
        detector = train_detector(normal, known, config, seed=seed)
        found.append(abnormal_share(detector, unknown))
        accuracy.append({"normal": 1 - abnormal_share(detector, held_out)})
        run.progress(number + 1, config.runs, "half of the queries")
    record["half_of_queries"] = _summary(found, accuracy)
    path = run.layout.detection(scheme)
    write_sealed(path, record)
    return path


def _check_gan(queries: QuerySet, learned: Mapping[str, Any]) -> None:
    own = queries.card.get("gan") or {}
    if own.get("generator") == learned["generator"]:
        raise ArtifactError(
            f"expected detectors that learned from another GAN than {own['name']}, which drew these queries: run "
            f"`nf detectors {own['name']}`"
        )


def _summary(rates: list[float], accuracy: list[dict[str, float]]) -> dict[str, Any]:
    return {
        "detection_rate": round(mean(rates), 6),
        "detection_rate_std": round(stdev(rates), 6) if len(rates) > 1 else 0.0,
        "runs": [round(rate, 6) for rate in rates],
        "accuracy": {kind: round(mean(result[kind] for result in accuracy), 6) for kind in accuracy[0]},
    }
