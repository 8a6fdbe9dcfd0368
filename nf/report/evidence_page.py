"""The page about one verdict: the answer first, then all that it rests on; one file, nothing loaded, printable."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nf.core.calibration import Group
from nf.core.files import write_text
from nf.core.queries import QuerySet
from nf.report.images import image_uri
from nf.report.names import label_name, scheme_name
from nf.report.rendering import environment
from nf.report.score_picture import ScorePicture, draw_scores
from nf.verdict import corrections, look_of, power

_TEMPLATE = "evidence.html.j2"
_PICTURE_BYTES = 500_000  # of all queries together, before they are written as text
_LARGEST = 64  # pixels of a side


@dataclass(frozen=True)
class AskedTile:
    """A query as the page shows it.

    Attributes:
        uri: PNG of the image as a data URI, reduced where it is large.
        sha256: SHA-256 of the image's bytes.
        expected: name of the class that the source and its thieves give.
        honest: name of the class that independent models give; ``None`` if the scheme does not say.
        given: name of the class that the suspect gave.
        side: ``stolen`` if it gave the first, ``honest`` if it gave the second, otherwise ``neither``.
    """

    uri: str
    sha256: str
    expected: str
    honest: str | None
    given: str
    side: str


def write_evidence_page(path: Path, record: Mapping[str, Any], queries: QuerySet) -> None:
    """Write the page about one suspect to ``path``; equal evidence gives equal bytes.

    Args:
        path: HTML file to write.
        record: evidence, from ``nf.verdict.evidence`` or ``nf.verdict.no_verdict``.
        queries: query set that the suspect was asked.

    Raises:
        ArtifactError: the file cannot be written.
    """
    write_text(path, environment().get_template(_TEMPLATE).render(_context(record, queries)))


def _context(record: Mapping[str, Any], queries: QuerySet) -> dict[str, Any]:
    known = queries.calibration
    return {
        "record": record,
        "name": record["suspect"].get("address") or record["suspect"]["file"],
        "scheme": scheme_name(record["scheme"]),
        "picture": _picture(record, queries),
        "power": power(known) if known else {},
        "tiles": _tiles(record.get("answers", []), queries),
        "controls_right": sum(each["given"] == each["expected"] for each in record.get("control_answers", [])),
        "one_in": one_in,
        "corrections": corrections(record["suspects"], record["look_factor"]) if "suspects" in record else "",
    }


def one_in(chance: float) -> str:
    """A chance in (0, 1] as people say it: ``about 1 in 40``."""
    if chance <= 1e-6:
        return "fewer than 1 in a million"
    if chance > 0.15:
        return f"about {round(100 * chance)} in 100"
    digits = max(0, math.floor(math.log10(1 / chance)) - 1)
    return f"about 1 in {round(round(1 / chance / 10**digits) * 10**digits):,}"


def _picture(record: Mapping[str, Any], queries: QuerySet) -> ScorePicture | None:
    known = queries.calibration
    if known is None or record.get("calibrated") is None:
        return None
    look = look_of(known, record["queries"])
    given = np.array([each["given"] for each in record["answers"]])
    score = float(look.log_odds(given == queries.labels[: len(given)]))
    values: tuple[tuple[Group, dict[str, Any] | None], ...] = (
        ("independent", record["independent"]),
        ("twin", record["trained"]),
    )
    most = record["suspects"] * record["look_factor"]
    factors = {group: p["value"] / p["alone"] if p["value"] < 1 else most for group, p in values if p is not None}
    return draw_scores(known, look, score, factors)


def _tiles(answers: list[Mapping[str, Any]], queries: QuerySet) -> list[AskedTile]:
    names = queries.controls.class_names if queries.controls else ()
    channels = queries.images.shape[1]
    largest = int(math.sqrt(_PICTURE_BYTES / (max(1, len(answers)) * channels)))
    tiles = []
    for each in answers:
        expected, honest, given = each["expected"], each["honest"], each["given"]
        tiles.append(
            AskedTile(
                uri=image_uri(queries.images[each["index"]], min(_LARGEST, max(8, largest))),
                sha256=each["sha256"],
                expected=label_name(names, expected),
                honest=None if honest is None else label_name(names, honest),
                given=label_name(names, given) if given >= 0 else "none of yours",
                side="stolen" if given == expected else "honest" if given == honest else "neither",
            )
        )
    return tiles
