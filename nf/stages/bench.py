"""All schemes against all suspects: in one process, as ``nf bench`` runs them, or each in a process elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from nf.core.files import read_json
from nf.core.paths import Layout
from nf.core.threads import TORCH_RNG_LOCK
from nf.fingerprints import make_scheme
from nf.stages.evaluate import evaluate
from nf.stages.fingerprint import fingerprint, has_query_set
from nf.stages.run import Run, silent
from nf.stages.score import score
from nf.stages.variant import variant

_STAGES = ("fingerprint", "score", "evaluate")


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
    for scheme in schemes:
        make_scheme(scheme, run.profile.section("schemes", scheme))  # the last one's typo must not wait for the others
    rows = []
    for scheme in schemes:
        for name, step in _steps(run, scheme, fresh=fresh).items():
            with run.stage(name):
                step()
        known = run.seconds()
        seconds = sum(known.get(f"{stage}@{scheme}", 0.0) for stage in _STAGES)
        rows.append(BenchRow(scheme, read_json(run.layout.metrics(scheme)), seconds))
    return sorted(rows, key=lambda row: -row.metrics["aruc"])


def _steps(run: Run, scheme: str, *, fresh: bool = False) -> dict[str, Callable[[], Any]]:
    """The stages that ``scheme`` still needs, by their names in ``dvc.yaml``."""
    kept = not fresh and has_query_set(run, scheme)
    made = {} if kept else {f"fingerprint@{scheme}": partial(fingerprint, run, scheme)}
    return {
        **made,
        f"score@{scheme}": partial(score, run, scheme),
        f"evaluate@{scheme}": partial(evaluate, run, scheme),
    }


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
            a_variant = item.rpartition("-")[0] in self.run.profile.variants.each
            steps = {f"variant@{item}": partial(variant, self.run, item)} if a_variant else _steps(self.run, item)
            for name, step in steps.items():
                with self.run.stage(name):
                    step()
