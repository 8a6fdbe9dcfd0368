"""Numbers within sentences: ``<!--=RECORD:PATH:FORM-->`` and ``<!--/-->`` enclose a number of a record.

PATH leads into ``results/RECORD.json`` by keys with dots between; below ``variants`` by a variant's name and a field of
``nf.report.VariantRow``. FORM is a name from ``FORMS`` or a format of Python.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nf.core.errors import ConfigError
from nf.core.proportions import Proportion
from nf.report import variant_rows
from tools.results.cells import accused, found, interval, twins
from tools.results.own_model import honest_accused, thieves_accused
from tools.results.records import Record, load


def _missed(scheme: Record) -> str:
    wrong = scheme["at_threshold"]
    return f"{wrong['false_negatives']} of {wrong['positives']}"


def _accused_interval(scheme: Record) -> str:
    wrong = scheme["at_threshold"]
    low, high = Proportion(wrong["false_positives"], wrong["negatives"]).interval()
    return f"{low:.1%} to {high:.1%}"


def _gpu_accuracies(models: Sequence[Record]) -> str:
    reached = [model["test_accuracy"] for model in models if "cores" not in model["device"]]
    return f"{min(reached):.1%} to {max(reached):.1%}"


def _worst(group: str) -> Callable[[Sequence[Record]], str]:
    """Of all recorded zoos the most honest models of ``group`` against whom a verdict went."""

    def written(runs: Sequence[Record]) -> str:
        shares = (run["verdicts"][group] for run in runs)
        worst = max(shares, key=lambda share: share["count"] / share["total"])
        return f"{worst['count']} of {worst['total']}"

    return written


FORMS: Mapping[str, Callable[[Any], str]] = {
    "found": found,
    "missed": _missed,
    "accused": accused,
    "accused-interval": _accused_interval,
    "twins": twins,
    "worst-independent": _worst("independent_accused"),
    "worst-trained": _worst("trained_accused"),
    "thieves-accused": thieves_accused,
    "honest-accused": honest_accused,
    "gpu-accuracies": _gpu_accuracies,
    "aruc": lambda scheme: interval(scheme, "aruc"),
    "mean": lambda spread: f"{spread.mean:.3f}",
    "minutes": lambda seconds: f"{seconds / 60:.1f}",
    "mebibytes": lambda count: f"{count / 2**20:.0f}",
    "kibibytes": lambda count: f"{count / 2**10:.1f}",
}
_FIGURE = re.compile(r"<!--=([^\s:]+):([^\s:]+):([^\s:]+?)-->.*?<!--/-->", re.DOTALL)


def figure(record: str, path: str, form: str) -> str:
    """The number at ``path`` of the record, written in ``form``.

    Raises:
        ConfigError: there is no such record, number or form.
    """
    value: Any = load(record)
    if value is None:
        raise ConfigError(f"expected a record results/{record}.json, found none")
    for key in path.split("."):
        try:
            value = _step(value, key)
        except (AttributeError, IndexError, KeyError, ValueError):
            raise ConfigError(f"expected {path} in results/{record}.json, found no {key}") from None
    try:
        return FORMS[form](value) if form in FORMS else format(value, form)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ConfigError(f"{record} {path}: expected one of {', '.join(FORMS)} or a format, got {form}") from None


def _step(value: Any, key: str) -> Any:
    if key == "variants":
        return {row.name: row for row in variant_rows(value[key], confidence=0.95)}
    if isinstance(value, Mapping):
        return value[key]
    return value[int(key)] if isinstance(value, Sequence) else getattr(value, key)


def filled(text: str) -> str:
    """``text`` with every number as its record says."""
    return _FIGURE.sub(lambda match: f"<!--={':'.join(match.groups())}-->{figure(*match.groups())}<!--/-->", text)
