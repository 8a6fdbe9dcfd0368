"""What a report is made from: plain data, so that it can be written wherever the numbers are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nf.core.queries import QuerySet
from nf.core.scores import ScoreTable


@dataclass(frozen=True)
class SchemeResult:
    """What one fingerprinting scheme reached.

    Attributes:
        name: key of ``nf.fingerprints.SCHEMES``.
        evaluation: the scheme's ``metrics/<scheme>.json``, as ``nf.evaluation.Evaluation.to_json`` gives it.
        table: scores of all suspects; rows of the training pool are not shown.
        queries: query set of the scheme, with its card.
    """

    name: str
    evaluation: Mapping[str, Any]
    table: ScoreTable
    queries: QuerySet


@dataclass(frozen=True)
class GanResult:
    """The GAN that queries were made with.

    Attributes:
        name: key of ``nf.gan.GANS``, or that of an imported one.
        quality: numbers of ``quality.json`` by key; the Fréchet distance is called ``frechet_<architecture>``.
        sheet: path of the PNG with samples.
    """

    name: str
    quality: Mapping[str, float]
    sheet: Path


@dataclass(frozen=True)
class ZooAccuracy:
    """Accuracy of one suspect.

    Attributes:
        suspect: id of the suspect.
        architecture: key of its architecture.
        attack: key of the attack that made it.
        role: ``positive`` or ``negative``.
        accuracy: share of the test images that it labels correctly, in [0, 1].
    """

    suspect: str
    architecture: str
    attack: str
    role: Literal["positive", "negative"]
    accuracy: float


@dataclass(frozen=True)
class ParitySummary:
    """How far the exported models agree with what was trained.

    Attributes:
        models: number of exported models.
        images: number of images on which each model was compared.
        max_abs_difference: largest absolute difference between the two logits of an image and a class.
        label_changes: number of models whose file gives any image another label.
    """

    models: int
    images: int
    max_abs_difference: float
    label_changes: int


@dataclass(frozen=True)
class ReportInputs:
    """Everything that the page shows; missing parts are shown as not measured.

    Attributes:
        profile: name of the profile.
        description: what the profile is, as the end of "This run used ...".
        scheme: results of the scheme that the page is about.
        class_names: names of the labels; numbers are shown where there are none.
        gan: GAN that the queries were made with, or ``None``.
        accuracies: accuracy of each suspect.
        parity: agreement of the ONNX files with their models, or ``None``.
        timings: duration of each stage's last run in seconds, by stage.
        facts: (label, value) pairs: data, models, commit, versions, machine.
    """

    profile: str
    description: str
    scheme: SchemeResult
    class_names: tuple[str, ...] = ()
    gan: GanResult | None = None
    accuracies: tuple[ZooAccuracy, ...] = ()
    parity: ParitySummary | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()
