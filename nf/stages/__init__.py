"""One module per pipeline stage, and in it a function of the stage's name: the only place that joins the layers.

Beside them stand what works on several stages (``bench``) and what runs beside the pipeline (``issue``, ``watch``).

Nothing is imported here: a stage starts in half the time if it does not bring what the others need.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from nf.core.errors import UnknownNameError

STAGES = (
    "prepare",
    "zoo",
    "gan",
    "fingerprint",
    "export",
    "score",
    "evaluate",
    "detectors",
    "detect",
    "variant",
    "report",
    "compare",
)
"""Names of the stages."""


def load_stage(name: str) -> Callable[..., Any]:
    """The function of the stage ``name``: it takes a ``Run``, and the item where the stage has one.

    Raises:
        UnknownNameError: there is no such stage.
    """
    if name not in STAGES:
        raise UnknownNameError("stage", name, STAGES)
    function: Callable[..., Any] = getattr(import_module(f"nf.stages.{name}"), name)
    return function


__all__ = ["STAGES", "load_stage"]
