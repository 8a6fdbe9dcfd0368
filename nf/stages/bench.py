"""All schemes against all suspects in one process, as ``nf bench`` runs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nf.core.files import read_json
from nf.stages.evaluate import evaluate
from nf.stages.fingerprint import fingerprint, has_query_set
from nf.stages.run import Run
from nf.stages.verify import verify

_STAGES = ("fingerprint", "verify", "evaluate")


@dataclass(frozen=True)
class BenchRow:
    """What a scheme reached: its ``metrics/<scheme>.json``, and the seconds of its stages' last runs."""

    scheme: str
    metrics: Mapping[str, Any]
    seconds: float


def bench(run: Run, schemes: Sequence[str], *, fresh: bool = False) -> list[BenchRow]:
    """Fingerprint, verify and evaluate each scheme; the best ARUC comes first.

    A query set is kept if its card says that it was made with these settings, from these models and versions, unless
    ``fresh``. A change of code under one version is noticed by DVC, not here. Suspects are always asked again.

    Raises:
        NFError: whatever the three stages raise.
    """
    rows = []
    for scheme in schemes:
        if fresh or not has_query_set(run, scheme):
            with run.stage(f"fingerprint@{scheme}"):
                fingerprint(run, scheme)
        with run.stage(f"verify@{scheme}"):
            verify(run, scheme)
        with run.stage(f"evaluate@{scheme}"):
            evaluate(run, scheme)
        known = run.seconds()
        seconds = sum(known.get(f"{stage}@{scheme}", 0.0) for stage in _STAGES)
        rows.append(BenchRow(scheme, read_json(run.layout.metrics(scheme)), seconds))
    return sorted(rows, key=lambda row: -row.metrics["aruc"])
