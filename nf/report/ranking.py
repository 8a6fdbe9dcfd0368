"""The first scheme among the others: on which measures another is better, and on which attacks it fails."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nf.core.scores import Score
from nf.evaluation import margins, summarise
from nf.report.formats import decimal, percent, points
from nf.report.inputs import SchemeResult
from nf.report.names import attack_name, scheme_name


@dataclass(frozen=True)
class Standing:
    """A measure on which another scheme is better than the first.

    Attributes:
        measure: name of the measure.
        best: display name of the best scheme.
        best_value: value of the best scheme, as text.
        own_value: value of the first scheme, as text.
    """

    measure: str
    best: str
    best_value: str
    own_value: str


@dataclass(frozen=True)
class _Measure:
    name: str
    read: Callable[[SchemeResult], float | None]
    show: Callable[[float], str]
    higher_is_better: bool = True


def standings(schemes: Sequence[SchemeResult], detection: Mapping[str, Mapping[str, Any]]) -> list[Standing]:
    """Find every measure on which the first scheme is not the best, with the scheme that is.

    Args:
        schemes: results of all schemes, of which the first is the project's own.
        detection: records of the stage ``detect`` by scheme; schemes without one are left out of that measure.
    """
    behind = []
    for measure in _measures(schemes[0], detection):
        values = {scheme.name: value for scheme in schemes if (value := measure.read(scheme)) is not None}
        own = values.get(schemes[0].name)
        if own is None:
            continue
        best = (max if measure.higher_is_better else min)(values, key=lambda name: values[name])
        if values[best] != own:
            behind.append(Standing(measure.name, scheme_name(best), measure.show(values[best]), measure.show(own)))
    return behind


def _measures(first: SchemeResult, detection: Mapping[str, Mapping[str, Any]]) -> list[_Measure]:
    def metric(key: str) -> Callable[[SchemeResult], float | None]:
        return lambda scheme: float(scheme.evaluation[key])

    def calibrated(scheme: SchemeResult) -> float | None:
        found = scheme.evaluation.get("calibrated")
        return float(found["aruc"]) if found else None

    def verdict(rate: str) -> Callable[[SchemeResult], float | None]:
        def read(scheme: SchemeResult) -> float | None:
            found = (scheme.evaluation.get("verdicts") or {}).get(rate)
            return float(found["rate"]) if found else None

        return read

    def extended(group: str) -> Callable[[SchemeResult], float | None]:
        def read(scheme: SchemeResult) -> float | None:
            found = scheme.evaluation.get("plus", {}).get(group)
            return found["called_stolen"] / found["models"] if found else None

        return read

    def detected(scheme: SchemeResult) -> float | None:
        record = detection.get(scheme.name)
        return float(record["naive"]["detection_rate"]) if record else None

    def margin(attack: str) -> Callable[[SchemeResult], float | None]:
        def read(scheme: SchemeResult) -> float | None:
            found = summarise(margins(scheme.table.select(pool="suspects"))).get(attack)
            return found.mean if found else None

        return read

    def one_place(share: float) -> str:
        return percent(share, 1)

    def errors(kind: str) -> Callable[[SchemeResult], float | None]:
        return lambda scheme: float(scheme.evaluation["at_threshold"][kind])

    return [
        _Measure("ARUC", metric("aruc"), decimal),
        _Measure("ARUC of the calibrated score", calibrated, decimal),
        _Measure("ROC-AUC", metric("roc_auc"), decimal),
        _Measure("TPR at FPR 0", metric("tpr_at_fpr_0"), decimal),
        _Measure("Independent models accused by verdicts", verdict("independent_accused"), one_place, False),
        _Measure("Twins called stolen by verdicts", verdict("trained_accused"), one_place, False),
        _Measure("Stolen models missed by verdicts", verdict("missed"), one_place, False),
        _Measure("Stolen models not called so by verdicts", verdict("not_called_stolen"), one_place, False),
        _Measure("Stolen suspects missed at the threshold", errors("false_negatives"), "{:.0f}".format, False),
        _Measure("Honest suspects accused at the threshold", errors("false_positives"), "{:.0f}".format, False),
        _Measure("Twins accused at the threshold", extended("twin"), percent, False),
        _Measure("Students of other data recognised", extended("cross-data"), percent),
        _Measure("Compressed copies recognised", extended("compressed"), percent),
        _Measure("Copies behind input defences recognised", extended("defended"), percent),
        _Measure("Queries that the naive detector finds", detected, one_place, False),
        *(
            _Measure(
                f"Mean margin under {attack_name(attack).lower()}, in points",
                margin(attack),
                lambda value: points(value, 1),
            )
            for attack in summarise(margins(first.table.select(pool="suspects")))
        ),
    ]


@dataclass(frozen=True)
class Reach:
    """Mean scores of one group of models.

    Attributes:
        models: name of the group.
        stolen: mean score of its stolen models in [0, 1], or ``None`` if it has none.
        honest: mean score of its independent models in [0, 1], or ``None`` if it has none.
    """

    models: str
    stolen: float | None
    honest: float | None


def reach(scheme: SchemeResult) -> list[Reach]:
    """Mean scores of the training models, of suspects with their architectures and of suspects with other ones.

    The difference between the first two lines is what queries lose on other models, that between the last two what they
    lose on other architectures.
    """
    training = scheme.table.select(pool="training").rows
    known = {row.architecture for row in training}
    suspects = scheme.table.select(pool="suspects").rows
    groups = {
        "training models": training,
        "suspects of their architectures": [row for row in suspects if row.architecture in known],
        "suspects of other architectures": [row for row in suspects if row.architecture not in known],
    }
    return [Reach(name, _mean(rows, "positive"), _mean(rows, "negative")) for name, rows in groups.items()]


def _mean(rows: Iterable[Score], role: str) -> float | None:
    rates = [row.score for row in rows if row.role == role]
    return sum(rates) / len(rates) if rates else None


@dataclass(frozen=True)
class Failures:
    """Wrong verdicts of one scheme on one attack's models.

    Attributes:
        attack: name of the attack.
        missed: number of stolen models that were called honest.
        stolen: number of stolen models.
        accused: number of independent models that were called stolen.
        honest: number of independent models.
    """

    attack: str
    missed: int
    stolen: int
    accused: int
    honest: int


def failures(scheme: SchemeResult) -> list[Failures]:
    """Wrong verdicts by attack on the paper's suspects, in the table's order; attacks without any are left out."""
    threshold = float(scheme.evaluation["threshold"])
    groups: dict[str, Failures] = {}
    for row in scheme.table.select(pool="suspects").rows:
        so_far = groups.get(row.attack, Failures(attack_name(row.attack), 0, 0, 0, 0))
        stolen, verdict = row.role == "positive", row.score >= threshold
        groups[row.attack] = Failures(
            so_far.attack,
            so_far.missed + (stolen and not verdict),
            so_far.stolen + stolen,
            so_far.accused + (not stolen and verdict),
            so_far.honest + (not stolen),
        )
    return [group for group in groups.values() if group.missed or group.accused]
