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
        table: its scores; rows of the training pool are not shown.
        queries: its query set with the card.
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
        quality: numbers by key; the Fréchet distance is called ``frechet_<architecture>``.
        sheet: PNG of samples.
    """

    name: str
    quality: Mapping[str, float]
    sheet: Path


@dataclass(frozen=True)
class ZooAccuracy:
    """One suspect's accuracy in [0, 1] on the test images."""

    suspect: str
    architecture: str
    attack: str
    role: Literal["positive", "negative"]
    accuracy: float


@dataclass(frozen=True)
class ParitySummary:
    """How far the exported models agree with what was trained.

    Attributes:
        models: exported models.
        images: images that each was compared on.
        max_abs_difference: largest difference between two logits.
        label_changes: models of which any image got another label.
    """

    models: int
    images: int
    max_abs_difference: float
    label_changes: int


@dataclass(frozen=True)
class ReportInputs:
    """Everything that the page shows; what is left out is said to be not measured.

    Attributes:
        profile: name of the profile.
        description: what the profile is, as the end of "This run used ...".
        scheme: that the page is about.
        class_names: names of the labels; numbers where there are none.
        gan: that its queries were made with, if any.
        accuracies: of the suspects.
        parity: of the ONNX export.
        timings: seconds by stage.
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
