"""What a fingerprint scheme is: training models and data in, a query set out.

A scheme is one subclass of ``Scheme`` that writes ``run``. Checks, the threshold and the transcript are here.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from torch import Tensor, nn

from nf.calibration import CalibrationPool, calibrate
from nf.core.answers import Answers
from nf.core.calibration import Calibration
from nf.core.errors import ConfigError
from nf.core.queries import QuerySet
from nf.core.thresholds import midpoint_threshold, sense_floor
from nf.core.verifier import Verifier
from nf.core.version import VERSION
from nf.data import to_float
from nf.gan import Gan
from nf.models import device_of, predicted_logits, weights_hash

Choice = Literal["published", "held-out"]
"""Which candidates become queries: those that a scheme's authors take, or those that tell calibration models apart."""

SchemeProgress = Callable[[int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Inputs:
    """The owner's own images.

    Attributes:
        images: (N, C, H, W) uint8, images that the source model learned from.
        labels: (N,) int64 class of each of ``images``.
        test_images: (M, C, H, W) uint8, images that no model learned from.
        test_labels: (M,) int64 class of each of ``test_images``.
        num_classes: number of classes.
    """

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    num_classes: int


@dataclass(frozen=True)
class TrainingModels:
    """The models that a fingerprint is made from, in eval mode; none of them is ever a suspect in an evaluation.

    Attributes:
        source: the model to protect.
        positives: models stolen from the source.
        negatives: independent models.
        positive_ids: name of each of ``positives`` in the transcript.
        negative_ids: name of each of ``negatives`` in the transcript.

    Raises:
        ConfigError: a pool is empty, there are more or fewer names than models, or a model is in training mode.
    """

    source: nn.Module
    positives: tuple[nn.Module, ...]
    negatives: tuple[nn.Module, ...]
    positive_ids: tuple[str, ...]
    negative_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        for role, pool, ids in (
            ("positive", self.positives, self.positive_ids),
            ("negative", self.negatives, self.negative_ids),
        ):
            if not pool or len(pool) != len(ids):
                raise ConfigError(
                    f"{role} models: expected one id for each of at least one, got {len(pool)}, {len(ids)} ids"
                )
        if len({*self.positive_ids, *self.negative_ids}) < len(self.positives) + len(self.negatives):
            raise ConfigError(f"expected distinct training models, got {self.positive_ids} and {self.negative_ids}")
        for name, model in {"source": self.source, **self.by_id()}.items():
            if model.training:
                raise ConfigError(f"training model {name!r}: expected eval mode, got training mode")

    @property
    def device(self) -> torch.device:
        """Torch device of the models."""
        return device_of(self.source)

    def map(self, change: Callable[[nn.Module], nn.Module]) -> "TrainingModels":
        """The same models, each passed through ``change``."""
        return TrainingModels(
            change(self.source),
            tuple(map(change, self.positives)),
            tuple(map(change, self.negatives)),
            self.positive_ids,
            self.negative_ids,
        )

    def by_id(self) -> dict[str, nn.Module]:
        """All training models by name, positives first."""
        ids = self.positive_ids + self.negative_ids
        return dict(zip(ids, self.positives + self.negatives, strict=True))


@dataclass(frozen=True)
class Task:
    """All that ``Scheme.run`` gets.

    Attributes:
        models: source model and training models.
        data: the owner's images.
        gan: GAN to make images with, or ``None``.
        queries: number of queries to make.
        seed: root seed of all random draws.
        progress: function that is called as (steps done, steps in all, figures worth showing), or ``None``.
        calibration: models of known origin that took no part in making candidates, or ``None``.
    """

    models: TrainingModels
    data: Inputs
    gan: Gan | None
    queries: int
    seed: int
    progress: SchemeProgress | None
    calibration: CalibrationPool | None = None

    def require_gan(self) -> Gan:
        """The GAN, for schemes that need one.

        Raises:
            ConfigError: the task has no GAN.
        """
        if self.gan is None:
            raise ConfigError("gan: expected one to make images with, got none")
        return self.gan


@dataclass(frozen=True)
class Draft:
    """What ``Scheme.run`` returns: as many images as queries are wanted, or more for calibration models to choose from.

    Attributes:
        images: (N, C, H, W) uint8, those first that the scheme itself would take.
        labels: (N,) int64 label that the source model and its thieves give each image.
        negative_labels: (N,) int64 label that independent models give; -1 from a scheme that does not say.
        notes: further plain values for the transcript.
        verifier: network that computes the score; ``None`` if the score is the matching rate.
    """

    images: Tensor
    labels: Tensor
    negative_labels: Tensor
    notes: dict[str, Any] = field(default_factory=dict)
    verifier: Verifier | None = None

    def take(self, places: Tensor) -> "Draft":
        """The images at ``places`` (M,), in that order."""
        return replace(
            self,
            images=self.images[places],
            labels=self.labels[places],
            negative_labels=self.negative_labels[places],
        )


def at_most(share: float, queries: int) -> int:
    """How many of ``queries`` are the largest ``share`` of them, rounded up: 7 for 0.07 of 100."""
    return math.ceil(round(share * queries, 9))  # the product of floats is 7.000000000000001


class Scheme(ABC):
    """A way to make queries.

    Attributes:
        name: key of the scheme in ``nf.fingerprints.SCHEMES``.
        Config: frozen dataclass of hyper-parameters, the scheme's section in ``params.yaml``.
        needs_gan: whether the scheme makes its images with a GAN.
        needs_gradients: whether it needs the source's gradients, which a black box does not give.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Any]]
    needs_gan: ClassVar[bool] = False
    needs_gradients: ClassVar[bool] = False

    def __init__(self, config: Any) -> None:
        if not isinstance(config, self.Config):
            raise ConfigError(f"{self.name}: expected a {self.Config.__name__}, got {type(config).__name__}")
        self.config = config

    @property
    def gans(self) -> tuple[str, ...]:
        """Name of the GAN that it makes its images with, if it takes one."""
        return (self.config.gan,) if self.needs_gan else ()

    @property
    def wants_twins(self) -> bool:
        """Whether twins, independent models trained on the owner's own data, shall be among the negatives."""
        return False

    @property
    def chooses_held_out(self) -> bool:
        """Whether calibration models choose queries among its candidates, as the setting ``choice`` may say."""
        return bool(getattr(self.config, "choice", None) == "held-out")

    @property
    def pair_share(self) -> float:
        """Largest share of the queries, in (0, 1], with one pair of labels where calibration models choose."""
        return 1.0

    @final
    def __call__(
        self,
        models: TrainingModels,
        data: Inputs,
        gan: Gan | None = None,
        *,
        queries: int,
        seed: int,
        progress: SchemeProgress | None = None,
        calibration: CalibrationPool | None = None,
    ) -> QuerySet:
        """Make ``queries`` queries; the same seed, models and number of threads give the same bytes.

        On a GPU they do not where images pass through ``grid_sample`` or ``interpolate`` (``transforms.py``):
        their gradients are added up in any order there.

        Args:
            models: source model and training models, in eval mode.
            data: the owner's images.
            gan: GAN for schemes that need one.
            queries: number of queries to make, at least 1.
            seed: root seed of all random draws.
            progress: function that is called as (steps done, steps in all, figures worth showing).
            calibration: models that queries are chosen by, if the scheme ``chooses_held_out``, and that tell
                what a score means; without them the query set knows no level of error.

        Returns:
            The query set, whose card has the transcript and the threshold.

        Raises:
            ConfigError: an argument cannot be used.
            NotEnoughQueriesError: fewer than ``queries`` queries survive the scheme's own tests.
        """
        self._check_arguments(data, queries)
        self.check_choice(calibrated=calibration is not None)
        task = Task(models, data, gan, queries, seed, progress, calibration)
        draft = self.run(task)
        self._check_draft(draft, task)
        draft, known = self._choose(draft, task)
        made = QuerySet(
            draft.images.cpu().numpy(),
            draft.labels.cpu().numpy(),
            draft.negative_labels.cpu().numpy(),
            verifier=draft.verifier,
            calibration=known,
        )
        return replace(made, card=self._card(made, task) | draft.notes)

    def check_choice(self, *, calibrated: bool) -> None:
        """Refuse queries that nobody can choose.

        Args:
            calibrated: whether there are calibration models.

        Raises:
            ConfigError: the scheme ``chooses_held_out``, and there are none.
        """
        if self.chooses_held_out and not calibrated:
            raise ConfigError(
                f"{self.name}: choice: expected calibration models to choose queries by, got none; give the profile "
                "some in zoo.calibration, or let the scheme choose (variants have none)"
            )

    def wanted(self, task: Task) -> int | None:
        """How many candidates ``run`` shall return at most: ``None`` for all that it has, to be chosen from."""
        return None if self.chooses_held_out else task.queries

    def _choose(self, draft: Draft, task: Task) -> tuple[Draft, Calibration | None]:
        """The queries among the candidates of ``draft``, and what calibration models make of them."""
        if task.calibration is None:
            return draft.take(torch.arange(task.queries)), None
        if not self.chooses_held_out:
            draft = draft.take(torch.arange(task.queries))
        matches = task.calibration.ask(draft.images.cpu().numpy()) == draft.labels.cpu().numpy()
        pairs = torch.stack([draft.labels, draft.negative_labels], dim=1).unique(dim=0, return_inverse=True)[1]
        chosen, known = calibrate(
            task.calibration,
            matches,
            task.queries,
            pairs=pairs.cpu().numpy() if self.chooses_held_out else None,
            each=at_most(self.pair_share, task.queries),
        )
        return draft.take(torch.from_numpy(chosen).to(draft.images.device)), known

    @abstractmethod
    def run(self, task: Task) -> Draft:
        """Make ``task.queries`` queries, or more candidates if the scheme ``chooses_held_out``.

        Raises:
            ConfigError: the settings do not fit the task.
            NotEnoughQueriesError: too few queries survive the scheme's own tests.
        """

    def provenance(self, task: Task) -> dict[str, Any]:
        """The part of the transcript that is known before queries are made: settings, models and versions."""
        models = task.models
        return {
            "scheme": self.name,
            "seed": task.seed,
            "num_classes": task.data.num_classes,
            "parameters": asdict(self.config),
            "models": {
                "source": weights_hash(models.source),
                "positives": _hashes(models.positive_ids, models.positives),
                "negatives": _hashes(models.negative_ids, models.negatives),
            },
            "calibration_models": task.calibration.digest if task.calibration else None,
            "gan": _gan_card(task.require_gan()) if self.needs_gan else None,
            "versions": {"torch": torch.__version__, "numpy": np.__version__, "nf": VERSION},
        }

    def _check_arguments(self, data: Inputs, queries: int) -> None:
        if queries < 1:
            raise ConfigError(f"queries: expected at least 1, got {queries}")
        if data.images.dtype != torch.uint8 or data.images.ndim != 4:
            raise ConfigError(
                f"images: expected uint8 (N, C, H, W), got {data.images.dtype} {tuple(data.images.shape)}"
            )

    def _check_draft(self, draft: Draft, task: Task) -> None:
        """Check shapes, types and ranges of ``draft``; a violation is a bug of the scheme, not of its user."""
        count = len(draft.images)
        enough = count == task.queries or (self.chooses_held_out and count > task.queries)
        shape = (task.queries, *task.data.images.shape[1:])
        if draft.images.dtype != torch.uint8 or not enough or draft.images.shape[1:] != shape[1:]:
            raise RuntimeError(
                f"{self.name}: expected uint8 images {shape}, got {draft.images.dtype} {tuple(draft.images.shape)}"
            )
        for name, labels, lowest in (("labels", draft.labels, 0), ("negative_labels", draft.negative_labels, -1)):
            low, high = int(labels.min()), int(labels.max())
            if labels.shape != (count,) or low < lowest or high >= task.data.num_classes:
                raise RuntimeError(
                    f"{self.name}: expected {count} {name} in [{lowest}, {task.data.num_classes}), "
                    f"got {len(labels)} in [{low}, {high}]"
                )

    def _card(self, queries: QuerySet, task: Task) -> dict[str, Any]:
        """The transcript that a third party can repeat. It holds no times, so that equal work gives equal bytes."""
        models = task.models
        answers = {name: _answers(model, queries) for name, model in models.by_id().items()}
        scores = {name: queries.score(given) for name, given in answers.items()}
        floor: dict[str, float] = {}
        if (queries.negative_labels >= 0).all():
            shares = [queries.sense(given) for given in answers.values()]
            floor = {"floor": sense_floor(shares, task.data.num_classes)}
        return {
            **self.provenance(task),
            **floor,
            "threshold": midpoint_threshold(
                [scores[name] for name in models.positive_ids], [scores[name] for name in models.negative_ids]
            ),
            "training_scores": scores,
            "source_score": queries.score(_answers(models.source, queries)),
        }


def _answers(model: nn.Module, queries: QuerySet) -> Answers:
    images = to_float(torch.from_numpy(queries.images).to(device_of(model)))
    return Answers.of(predicted_logits(model, images).cpu().numpy(), "logits")


def _hashes(ids: tuple[str, ...], models: tuple[nn.Module, ...]) -> dict[str, str]:
    with ThreadPoolExecutor() as threads:
        return dict(zip(ids, threads.map(weights_hash, models), strict=True))


def _gan_card(gan: Gan) -> dict[str, Any]:
    return {
        "name": gan.name,
        "config": asdict(gan.config),
        "generator": weights_hash(gan.generator),
        "discriminator": None if gan.discriminator is None else weights_hash(gan.discriminator),
    }
