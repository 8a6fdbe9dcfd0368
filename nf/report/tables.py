"""Rows of the page's tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nf.core.scores import Score, ScoreTable
from nf.report.inputs import ZooAccuracy
from nf.report.names import architecture_name, attack_name

_QUALITY = {
    "precision": "Share of samples that lie where real images lie (precision)",
    "recall": "Share of real images that lie where samples lie (recall)",
    "agreement": "Share of samples with the label they were made for (agreement)",
    "coverage": "Share of classes among the samples (coverage)",
    "entropy": "Evenness of the classes, 1 is even (entropy)",
}


@dataclass(frozen=True)
class SuspectRow:
    """A line of the table of all suspects.

    Attributes:
        score: score of the suspect.
        attack: display name of the attack that made the suspect.
        architecture: display name of the suspect's architecture.
        stolen: whether the suspect is stolen.
        verdict: whether the suspect is called stolen.
        accuracy: share of the test images that the suspect labels correctly, or ``None`` if that is not known.
    """

    score: Score
    attack: str
    architecture: str
    stolen: bool
    verdict: bool
    accuracy: float | None

    @property
    def wrong(self) -> bool:
        """Whether a stolen model is missed or an independent model accused."""
        return self.stolen != self.verdict


def suspect_rows(table: ScoreTable, threshold: float, accuracies: Iterable[ZooAccuracy]) -> list[SuspectRow]:
    """One row for each suspect of ``table``, in its order; called stolen at a score of ``threshold`` or more."""
    by_suspect = {item.suspect: item.accuracy for item in accuracies}
    return [
        SuspectRow(
            score=row,
            attack=attack_name(row.attack),
            architecture=architecture_name(row.architecture),
            stolen=row.role == "positive",
            verdict=row.score >= threshold,
            accuracy=by_suspect.get(row.suspect),
        )
        for row in table.rows
    ]


@dataclass(frozen=True)
class AccuracyRange:
    """Accuracies of a group of models.

    Attributes:
        models: number of models.
        mean: mean accuracy, in [0, 1].
        low: lowest accuracy, in [0, 1].
        high: highest accuracy, in [0, 1].
    """

    models: int
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "AccuracyRange | None":
        """The range of ``values``, or ``None`` if there are no values."""
        return cls(len(values), sum(values) / len(values), min(values), max(values)) if values else None


@dataclass(frozen=True)
class AccuracyRow:
    """Accuracies of the models of one attack or architecture.

    Attributes:
        name: display name of the attack or architecture.
        stolen: accuracies of its stolen models, or ``None`` if it has none.
        honest: accuracies of its independent models, or ``None`` if it has none.
    """

    name: str
    stolen: AccuracyRange | None
    honest: AccuracyRange | None


def accuracies_by_attack(accuracies: Iterable[ZooAccuracy]) -> list[AccuracyRow]:
    """A row for each attack, in the order in which they occur."""
    return _accuracy_rows((attack_name(item.attack), item) for item in accuracies)


def accuracies_by_architecture(accuracies: Iterable[ZooAccuracy]) -> list[AccuracyRow]:
    """A row for each architecture, by name."""
    rows = _accuracy_rows((architecture_name(item.architecture), item) for item in accuracies)
    return sorted(rows, key=lambda row: row.name)


def _accuracy_rows(named: Iterable[tuple[str, ZooAccuracy]]) -> list[AccuracyRow]:
    groups: dict[str, dict[str, list[float]]] = {}
    for name, item in named:
        groups.setdefault(name, {"positive": [], "negative": []})[item.role].append(item.accuracy)
    return [
        AccuracyRow(name, AccuracyRange.of(group["positive"]), AccuracyRange.of(group["negative"]))
        for name, group in groups.items()
    ]


def quality_rows(quality: Mapping[str, float]) -> list[tuple[str, float]]:
    """What each number of a GAN is, and its value."""
    return [(_quality_name(key), value) for key, value in quality.items()]


def _quality_name(key: str) -> str:
    kind, _, architecture = key.partition("_")
    if kind == "frechet" and architecture:
        return f"Fréchet distance in the features of {architecture_name(architecture)} ({key})"
    return _QUALITY.get(key, key.replace("_", " "))
