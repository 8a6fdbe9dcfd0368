"""All schemes against all suspects: in one process, as ``nf bench`` runs them, or each in a process elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from nf.core.files import read_json
from nf.core.paths import Layout
from nf.core.threads import TORCH_RNG_LOCK
from nf.core.variants import VariantId
from nf.stages.graph import Part, Wanted, scheme_parts, variant_parts
from nf.stages.run import Run, silent


@dataclass(frozen=True)
class BenchRow:
    """The result of one scheme.

    Attributes:
        scheme: name of the scheme.
        metrics: contents of ``metrics/<scheme>.json``.
        seconds: duration of the scheme's stages in their last runs, in seconds.
    """

    scheme: str
    metrics: Mapping[str, Any]
    seconds: float


def bench(run: Run, schemes: Sequence[str], *, fresh: bool = False) -> list[BenchRow]:
    """Fingerprint, score and evaluate each scheme; the best ARUC comes first.

    A query set is kept if its card says that it was made with these settings, from these models and versions, unless
    ``fresh``. A change of code under one version is noticed by DVC, not here. Suspects are always asked again.

    Raises:
        UnknownNameError: the profile or the registry has no such scheme; nothing has begun then.
        NFError: whatever the three stages raise.
    """
    Wanted.of(run.profile, schemes=schemes)  # the last one's typo must not wait for the others
    rows = []
    for scheme in schemes:
        parts = list(scheme_parts(run, run, scheme))
        _make(run, parts, fresh=fresh)
        known = run.seconds()
        seconds = sum(known.get(part.name, 0.0) for part in parts)
        rows.append(
            BenchRow(scheme, read_json(run.layout.metrics(scheme), advice=f"run `nf evaluate {scheme}`"), seconds)
        )
    return sorted(rows, key=lambda row: -row.metrics["aruc"])


def _make(run: Run, parts: Iterable[Part], *, fresh: bool = False) -> None:
    """Make ``parts`` one after another; a query set that is there is kept, unless ``fresh``."""
    for part in parts:
        if fresh or not (part.name.startswith("fingerprint@") and part.is_there()):
            with run.stage(part.name):
                part.make()


@dataclass(frozen=True)
class Bench:
    """The work of one scheme or variant; it can be sent to another process.

    Attributes:
        run: profile and place of the artifacts, by paths that are valid in every process.
    """

    run: Run

    @classmethod
    def of(cls, run: Run) -> "Bench":
        """The same run with paths from the root, one thread and no progress bar."""
        execution = replace(run.profile.execution, workers=1)
        return cls(Run(replace(run.profile, execution=execution), Layout(run.layout.root.resolve()), silent))

    def work(self, item: str) -> None:
        """Do the scheme ``item``, or the variant ``<name>-<seed>``.

        Raises:
            NFError: whatever the stages raise.
        """
        with TORCH_RNG_LOCK:
            torch.set_num_threads(1)
            run = self.run
            if item.rpartition("-")[0] in run.profile.variants.each:
                _make(run, variant_parts(run, run, VariantId.parse(item)))
            else:
                _make(run, scheme_parts(run, run, item))
