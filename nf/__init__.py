"""NaturalFinger: prove that a classifier was stolen, by asking it a hundred natural-looking images.

Here is what a verdict needs: ``QuerySet.load``, ``open_suspect``, ``examine``, ``decide`` (``docs/python.md``), and
``protect``, which makes a query set for a model of one's own (``docs/your-model.md``). A name is loaded from its room
when it is first used, so ``import nf`` loads neither numpy nor onnx; a verdict never loads torch. All else is in the
rooms (``docs/architecture.md``), which import each other and never this face.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from nf.core.version import VERSION

if TYPE_CHECKING:
    from nf.core.answers import Answers
    from nf.core.calibration import Calibration
    from nf.core.errors import ArtifactError, ConfigError, NFError, NoVerdictError, SuspectError
    from nf.core.predictor import OutputKind, Predictor
    from nf.core.queries import QuerySet
    from nf.owner import protect
    from nf.suspects import Examination, Examined, Interface, ask, examine, open_suspect
    from nf.verdict import (
        Benchmark,
        Commitment,
        PValue,
        StagedVerdict,
        Verdict,
        check_card,
        check_commitment,
        commit,
        decide,
        decide_in_stages,
        evidence,
        holm,
        load_benchmark,
        load_evidence,
        replay,
        write_evidence,
    )

__all__ = [
    "Answers",
    "ArtifactError",
    "Benchmark",
    "Calibration",
    "Commitment",
    "ConfigError",
    "Examination",
    "Examined",
    "Interface",
    "NFError",
    "NoVerdictError",
    "OutputKind",
    "PValue",
    "Predictor",
    "QuerySet",
    "StagedVerdict",
    "SuspectError",
    "Verdict",
    "ask",
    "check_card",
    "check_commitment",
    "commit",
    "decide",
    "decide_in_stages",
    "evidence",
    "examine",
    "holm",
    "load_benchmark",
    "load_evidence",
    "open_suspect",
    "protect",
    "replay",
    "write_evidence",
]

__version__ = VERSION

# onnxruntime, which reads this as it is loaded, calls home otherwise: here, so that no process of ours can forget it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# The imports above once more: type checkers read those, Python runs these.
_HOMES = {
    "nf.core.answers": ("Answers",),
    "nf.core.calibration": ("Calibration",),
    "nf.core.errors": ("ArtifactError", "ConfigError", "NFError", "NoVerdictError", "SuspectError"),
    "nf.core.predictor": ("OutputKind", "Predictor"),
    "nf.core.queries": ("QuerySet",),
    "nf.owner": ("protect",),
    "nf.suspects": ("Examination", "Examined", "Interface", "ask", "examine", "open_suspect"),
    "nf.verdict": (
        "Benchmark",
        "Commitment",
        "PValue",
        "StagedVerdict",
        "Verdict",
        "check_card",
        "check_commitment",
        "commit",
        "decide",
        "decide_in_stages",
        "evidence",
        "holm",
        "load_benchmark",
        "load_evidence",
        "replay",
        "write_evidence",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker that saw these would take any name for one of the face

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(
                f"module 'nf' has no attribute {name!r}: expected one of {', '.join(__all__)}; "
                "import the room for all else, as in `import nf.monitoring`"
            )
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value  # so that this is asked once for each name
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
