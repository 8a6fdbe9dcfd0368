"""``params.yaml`` as frozen dataclasses: what the pipeline runs, the profile in use and its fixed sections.

Sections of registries (attacks, GANs, schemes) stay plain mappings here; each component parses its own with
``nf.core.sections.parse_section``, so that adding one touches no other file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import yaml

from nf.core.calibration import FEWEST, Levels
from nf.core.errors import ConfigError, UnknownNameError
from nf.core.interface import NOTHING_STATED, Interface
from nf.core.paths import RECORD_FOLDER
from nf.core.sections import at_least, below_one, parse_section, positive
from nf.core.variants import VariantId

SourceKind = Literal["digits", "scribbles", "torchvision", "parquet", "folder", "arrays", "hugging_face"]

_PLACES: Mapping[SourceKind, tuple[str, ...]] = {
    "digits": (),
    "scribbles": (),
    "torchvision": ("name", "root"),
    "parquet": ("train", "test"),
    "folder": ("train", "test"),
    "arrays": ("train", "test"),
    "hugging_face": ("name",),
}
"""Keys by which each kind of source finds its images."""


_PROFILE_NAME = re.compile(r"[^\W\d_][\w-]{0,63}")

# Of libyaml where PyYAML has it: every command reads the settings, each stage several times.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class SourceConfig:
    """Where images come from.

    Attributes:
        kind: kind of the source: ``digits`` and ``scribbles`` are embedded; ``torchvision`` downloads the data set
            ``name`` into ``root``; ``parquet``, ``folder`` and ``arrays`` (a ``.npz`` file with ``images`` (N, C, H, W)
            uint8 and ``labels``) read ``train`` and, if given, ``test``; ``hugging_face`` reads a folder that
            ``datasets`` saved, or a name on its hub.
        name: torchvision data set, ``CIFAR10`` or ``CIFAR100``; folder or name of a data set of Hugging Face.
        root: folder for downloads.
        train: Parquet file, or several as ``train-*.parquet``; folder with one sub-folder per class; ``.npz`` file.
        test: path of the test part, of the same form; without it a test part is split off ``train``.
        images: use at most this many training images, at least 1; ``scribbles`` draws as many, by default 2,000.
        test_images: use at most this many test images, at least 1.
    """

    kind: SourceKind
    name: str = ""
    root: str = "data"
    train: str | None = None
    test: str | None = None
    images: int | None = None
    test_images: int | None = None

    def __post_init__(self) -> None:
        at_least(self, images=1, test_images=1)
        read = ("kind", "images", "test_images", *_PLACES[self.kind])
        for key in fields(self):
            if key.name not in read and (value := getattr(self, key.name)) != key.default:
                raise ConfigError(f"{key.name}: expected none for the kind {self.kind!r}, got {value!r}")


@dataclass(frozen=True)
class DataConfig:
    """The images of a profile.

    Attributes:
        source: the owner's images.
        knockoff: images of other things, which a thief asks the victim about.
        image_size: pixels on each side.
        channels: 1 or 3.
        others: what independent models learn from (split B), with the same classes; images that ``source`` has, too,
            are left out. Without it, the training part of ``source`` is halved.
        padding: pixels of random shift while training.
        flip: mirror images while training.
        test_fraction: share of ``source`` that becomes its test part where it has none.
    """

    source: SourceConfig
    knockoff: SourceConfig
    image_size: int
    channels: int
    others: SourceConfig | None = None
    padding: int = 4
    flip: bool = True
    test_fraction: float = 0.3

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"channels: expected 1 or 3, got {self.channels}")
        if not 16 <= self.image_size <= 128:
            raise ValueError(f"image_size: expected 16 to 128 pixels, got {self.image_size}")
        at_least(self, padding=0)
        if not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction: expected more than 0 and less than 1, got {self.test_fraction}")


@dataclass(frozen=True)
class TrainingConfig:
    """How a classifier is trained: SGD with Nesterov momentum under a one-cycle schedule, or a constant rate.

    Attributes:
        epochs: passes over the data.
        batch_size: images per update.
        learning_rate: the peak of the schedule.
        weight_decay: weight of the squared weights in the loss; biases and norms are left out.
        momentum: Nesterov momentum.
        schedule: ``one_cycle`` or ``constant``.
        clip_norm: largest norm of the gradient; ``None`` leaves it alone.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 5e-4
    momentum: float = 0.9
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        at_least(self, epochs=1, batch_size=1, learning_rate=0, weight_decay=0)
        positive(self, "clip_norm")
        below_one(self, "momentum")


@dataclass(frozen=True)
class PoolConfig:
    """The models that fingerprints are made from, by explicit id; see ``nf.zoo.fingerbench``.

    Attributes:
        positive: stolen from the source.
        negative: honest.
        twins: honest and trained on the owner's own data; negatives for schemes that ask for them.
    """

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    twins: tuple[str, ...] = ()

    def at_most(self, models: int) -> "PoolConfig":
        """``models`` of each kind, picked evenly; a kind that has no more stays as it is."""

        def pick(ids: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(ids[index * len(ids) // models] for index in range(models)) if len(ids) > models else ids

        return PoolConfig(pick(self.positive), pick(self.negative), pick(self.twins))


@dataclass(frozen=True)
class PlusConfig:
    """FingerBench+: suspects beyond the paper's, reported separately; empty lists switch it off.

    Attributes:
        twins: architectures trained from scratch on the owner's own data, which never saw the source.
        cross: architectures of students distilled from the source on everyone else's data.
        compressed: ids of the source and of models stolen from it, of which a 16-bit and an 8-bit copy are suspects.
        defences: names from ``nf.core.lineage.DEFENCE_NAMES`` that the source hides behind.
    """

    twins: tuple[str, ...] = ()
    cross: tuple[str, ...] = ()
    compressed: tuple[str, ...] = ()
    defences: tuple[str, ...] = ()


@dataclass(frozen=True)
class CalibrationConfig:
    """Calibration models: how many of which kind; see ``nf.zoo.calibration``. None of a kind switches it off.

    A lineage is a model from scratch with all that is made from it. By ranks alone, n lineages state a level of error
    of 1 / (n + 1): 19 state 5 %, 99 state 1 %.

    Attributes:
        copies: thieves that changed the source's weights, the attacks in turn.
        students: thieves that learned from the source's answers, the attacks in turn and architectures evenly.
        independent: lineages that begin on everyone else's images, the architectures in turn.
        independent_offspring: models made from those, the lineages and the attacks in turn.
        twins: lineages that begin on the owner's images, the architectures in turn.
        twin_offspring: models made from those, the lineages and the attacks in turn.
        efforts: parts of their schedule's epochs that honest models from scratch learn for, those of one architecture
            in turn: other people's models are not all as good.
    """

    copies: int = 0
    students: int = 0
    independent: int = 0
    independent_offspring: int = 0
    twins: int = 0
    twin_offspring: int = 0
    efforts: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.efforts or min(self.efforts) <= 0:
            raise ValueError(f"efforts: expected numbers above 0, got {list(self.efforts)}")
        at_least(self, copies=0, students=0, independent=0, independent_offspring=0, twins=0, twin_offspring=0)
        for lineages, offspring in (("independent", "independent_offspring"), ("twins", "twin_offspring")):
            if getattr(self, offspring) and not getattr(self, lineages):
                raise ValueError(f"{offspring}: expected none without {lineages}, got {getattr(self, offspring)}")
        if bool(self.copies + self.students) != bool(self.independent):
            raise ValueError(
                f"independent: expected some where there are thieves and none elsewhere, got {self.independent}"
            )
        if self.twins and not self.independent:
            raise ValueError(f"twins: expected none without thieves and independent lineages, got {self.twins}")
        if 0 < self.copies + self.students < FEWEST:
            raise ValueError(
                f"copies, students: expected at least {FEWEST} together, or none, got {self.copies + self.students}"
            )


NetworkKind = Literal["torchvision", "timm", "hf", "python", "exported", "onnx", "served"]


@dataclass(frozen=True)
class NetworkConfig:
    """A network from outside: one of the owner's, or an architecture for students and honest models.

    Attributes:
        open: ``torchvision:NAME``, ``timm:NAME``, ``hf:FOLDER`` (of Hugging Face's transformers) or
            ``PACKAGE.MODULE:FUNCTION`` (called with ``num_classes``) for a network that can be trained; a ``.pt2`` or
            ``.onnx`` file, an address, or a YAML file that describes one, for a black box.
        weights: safetensors file, or checkpoint that torch reads with ``weights_only``, of its weights; without, it is
            untrained, or has those that came with it (``hf``, a black box).
        interface: how it is asked; images come to it in the profile's size, and are resized as this says.
    """

    open: str
    weights: str | None = None
    interface: Interface = NOTHING_STATED

    def __post_init__(self) -> None:
        if self.weights is not None and not self.trainable:
            raise ValueError(f"weights: expected none beside {self.open}, which has its own, got {self.weights}")

    @property
    def kind(self) -> NetworkKind:
        """What ``open`` names."""
        prefix, colon, _ = self.open.partition(":")
        if colon and prefix in ("torchvision", "timm", "hf"):
            return cast(NetworkKind, prefix)
        if self.open.lower().startswith(("http://", "https://")) or self.open.lower().endswith((".yaml", ".yml")):
            return "served"
        if self.open.lower().endswith(".pt2"):
            return "exported"
        return "python" if colon and not self.open.lower().endswith(".onnx") else "onnx"

    @property
    def trainable(self) -> bool:
        """Whether it comes with weights that can be trained; a black box only answers."""
        return self.kind in ("torchvision", "timm", "hf", "python")


@dataclass(frozen=True)
class OwnModelConfig(NetworkConfig):
    """The owner's model, which was trained elsewhere.

    Attributes:
        digest: SHA-256 of the model, which another one in its place is told by; see ``nf.models.network_digest``.
        copies: whether thieves are made that change a copy of its weights; without, only its answers are learned from.
        remember: whether each answer of it is kept on disk, so that no image is asked twice; a black box's always are.
    """

    digest: str = ""
    copies: bool = True
    remember: bool = False

    @property
    def copied(self) -> bool:
        """Whether copies of its weights are changed: ``copies`` of a network that can be trained."""
        return self.copies and self.trainable

    @property
    def remembered(self) -> bool:
        """Whether its answers are kept."""
        return self.remember or not self.trainable


@dataclass(frozen=True)
class ZooConfig:
    """FingerBench for one profile.

    Attributes:
        source: architecture of the source model and its mirror; with ``own``, of the mirror alone.
        architectures: all architectures, ``source`` among them: this project's, or keys of ``networks``.
        widths: width multiplier by architecture; ``default`` for the others.
        full_size: architectures of ``nf.models.FULL_SIZE`` whose stem is not to halve the image.
        own: the owner's model, in the place of a source that is trained here.
        networks: architectures from outside, by the name that ``architectures`` has for them.
        suspects: architectures of the suspects, ``source`` among them; all of ``architectures`` by default.
        training: from-scratch schedule.
        overrides: schedules that differ from ``training``, by architecture.
        levels: strengths or modes by attack, where not all of the paper's are wanted.
        attacks: one section per key of ``nf.attacks.ATTACKS``.
        pool: training models.
        plus: suspects beyond the paper's.
        calibration: models on which queries are chosen and levels of error stated.
        precision: precision of forward passes in training: ``float32`` or ``bfloat16``; ``None`` takes bfloat16 on a
            GPU and float32 elsewhere. Processors with units for bfloat16 (AMX) train wide networks faster in it, others
            slower.
        source_weights: safetensors file with the weights of a source model that is trained already.
        weights: what filters and matrices are rounded to once a model is trained, which halves its file; biases, norms
            and computation stay float32.
    """

    source: str
    architectures: tuple[str, ...]
    widths: Mapping[str, float]
    training: TrainingConfig
    attacks: Mapping[str, Mapping[str, Any]]
    pool: PoolConfig
    plus: PlusConfig = PlusConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    source_weights: str | None = None
    precision: Literal["float32", "bfloat16"] | None = None
    weights: Literal["float32", "float16"] = "float32"
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    full_size: tuple[str, ...] = ()
    own: OwnModelConfig | None = None
    networks: Mapping[str, NetworkConfig] = field(default_factory=dict)
    suspects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.suspects and not {self.source} <= set(self.suspects) <= set(self.architectures):
            raise ValueError(
                f"suspects: expected {self.source} and others of {', '.join(self.architectures)}, "
                f"got {', '.join(self.suspects)}"
            )
        for name, network in self.networks.items():
            if not re.fullmatch(r"[a-z][a-z0-9_.]*", name):
                raise ValueError(f"networks: expected names of small letters, digits, '_' and '.', got {name!r}")
            if not network.trainable:
                raise ValueError(f"networks.{name}: expected a network that can be trained, got {network.open}")
        if self.own is not None and self.source_weights is not None:
            raise ValueError("source_weights: expected either these or own, got both")

    def network(self, architecture: str) -> dict[str, Any]:
        """What the profile says about networks of ``architecture``, as arguments of ``nf.models.build_classifier``."""
        full_size = {"full_size": True} if architecture in self.full_size else {}
        return {"width": self.width(architecture), **full_size}

    def width(self, architecture: str) -> float:
        """Width multiplier of ``architecture``."""
        return self.widths.get(architecture, self.widths.get("default", 1.0))


@dataclass(frozen=True)
class VariantConfig:
    """A scheme with other settings.

    Attributes:
        scheme: name of the scheme.
        changes: values that replace keys of the scheme's section.
        all_models: whether it takes all training models of the profile's pool, however few the others take.
    """

    scheme: str = "naturalfinger"
    changes: Mapping[str, Any] = field(default_factory=dict)
    all_models: bool = False


@dataclass(frozen=True)
class VariantsConfig:
    """What-if questions about settings: ablations, another GAN, other training models.

    Attributes:
        queries: size of each query set.
        models: training models of each kind, picked evenly from the profile's pool; ``None`` takes them all.
        common: changes by scheme that hold for all its variants, so that they stay comparable where time is short.
        each: variants by name.
    """

    queries: int = 100
    models: int | None = None
    common: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    each: Mapping[str, VariantConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at_least(self, queries=1, models=1)

    def models_of(self, name: str) -> int | None:
        """Training models of each kind that the variant ``name`` takes; ``None`` for all."""
        return None if self.each[name].all_models else self.models


@dataclass(frozen=True)
class EvaluationConfig:
    """Settings of intervals and budget curves.

    Attributes:
        resamples: number of resamples of a bootstrap interval.
        confidence: confidence of all intervals, in (0, 1).
        orders: number of random orders of the queries for a budget curve, at least 2.
    """

    resamples: int = 2000
    confidence: float = 0.95
    orders: int = 10

    def __post_init__(self) -> None:
        at_least(self, resamples=1, orders=2)
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence: expected more than 0 and less than 1, got {self.confidence}")


@dataclass(frozen=True)
class TlsConfig:
    """PEM files for a Dask cluster under TLS.

    Attributes:
        ca: path of the certificate of the authority that signed all others.
        cert: path of this machine's certificate.
        key: path of this machine's key.
    """

    ca: str
    cert: str
    key: str


@dataclass(frozen=True)
class ExecutionConfig:
    """How work is spread.

    ``retries``, ``runner``, ``address`` and ``tls`` are for the flows (``make repro``, ``python -m flows``): ``nf zoo``
    and ``nf run`` build on this machine, and try once.

    Attributes:
        workers: processes that build models; on a GPU they share it.
        retries: number of further attempts at a model that failed.
        device: device on which networks are trained and queries made; ``auto`` is the GPU where there is one.
        runner: ``local`` for processes of this machine, ``dask`` for the workers of a Dask scheduler.
        address: the scheduler, ``tcp://host:port`` or ``tls://host:port``.
        tls: certificates, for ``tls://``.
    """

    workers: int = 2
    retries: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    runner: Literal["local", "dask"] = "local"
    address: str | None = None
    tls: TlsConfig | None = None

    def __post_init__(self) -> None:
        at_least(self, workers=1, retries=0)
        if self.runner == "dask" and self.address is None:
            raise ValueError("address: expected tcp://host:port of a Dask scheduler for the runner 'dask', got none")
        if self.address is None:
            return
        url = urlsplit(self.address)
        if url.scheme not in ("tcp", "tls") or not url.hostname or not url.port:
            raise ValueError(f"address: expected tcp://host:port or tls://host:port, got {self.address!r}")
        if (url.scheme == "tls") != (self.tls is not None):
            raise ValueError(f"tls: expected certificates for a tls:// address and for no other, got {self.address!r}")


@dataclass(frozen=True)
class Profile:
    """One profile of ``params.yaml``; every output of it lies under ``out/<name>/``.

    Attributes:
        name: key of the profile in ``params.yaml``.
        seed: root of all seeds.
        data: images and splits.
        zoo: FingerBench.
        gans: sections by GAN.
        schemes: sections by scheme.
        description: what this profile is, in a few words for the report.
        queries: size of a query set.
        controls: number of labelled images that a suspect answers before the queries.
        levels: chances of a wrong accusation that the owner accepts.
        variants: schemes with other settings.
        detection: section of ``nf.detection.DetectorConfig``.
        evaluation: intervals.
        execution: how work is spread.
        seconds: what stages are expected to take, by name, for the time left that a run shows.
    """

    name: str
    seed: int
    data: DataConfig
    zoo: ZooConfig
    gans: Mapping[str, Mapping[str, Any]]
    schemes: Mapping[str, Mapping[str, Any]]
    description: str = ""
    queries: int = 100
    controls: int = 64
    levels: Levels = field(default_factory=Levels)
    variants: VariantsConfig = VariantsConfig()
    detection: Mapping[str, Any] = field(default_factory=dict)
    evaluation: EvaluationConfig = EvaluationConfig()
    execution: ExecutionConfig = ExecutionConfig()
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        at_least(self, queries=1, controls=1)
        for name in self.variants.common:
            if name not in self.schemes:
                raise UnknownNameError("scheme in variants.common", name, self.schemes)
        wanted = self.zoo.calibration
        # Where the owner's model may have learned from all images there are, models from scratch are twins.
        all_owned = self.zoo.own is not None and self.data.others is None
        lineages = wanted.independent + (wanted.twins if all_owned else 0)
        if 0 < lineages < FEWEST:
            raise ConfigError(f"zoo.calibration.independent: expected at least {FEWEST} lineages, got {lineages}")

    def section(self, kind: Literal["gans", "schemes"], name: str) -> Mapping[str, Any]:
        """The raw section of one GAN or scheme.

        Raises:
            UnknownNameError: the profile has none of that name.
        """
        sections: Mapping[str, Mapping[str, Any]] = getattr(self, kind)
        if name not in sections:
            raise UnknownNameError(f"{kind[:-1]} of profile {self.name!r}", name, sections)
        return sections[name]

    def variant_section(self, name: str) -> Mapping[str, Any]:
        """The section of a variant's scheme, with what holds for all variants and what this one changes.

        Raises:
            UnknownNameError: the profile has no such variant, or not its scheme.
        """
        if name not in self.variants.each:
            raise UnknownNameError(f"variant of profile {self.name!r}", name, self.variants.each)
        chosen = self.variants.each[name]
        section = self.section("schemes", chosen.scheme)
        return {**section, **self.variants.common.get(chosen.scheme, {}), **chosen.changes}


def check_profile_name(name: str) -> None:
    """Refuse a name that could not be a folder below ``out/``, part of a key of DVC and a word on a command line.

    Raises:
        ConfigError: it is not of letters, digits, ``-`` and ``_``, or too long, or a folder of another use.
    """
    if not _PROFILE_NAME.fullmatch(name):
        raise ConfigError(
            f"profile name: expected a letter, then letters, digits, '-' and '_', at most 64 in all, got {name[:99]!r}"
        )
    if name == RECORD_FOLDER:
        raise ConfigError(f"profile name: {name!r} is where `nf run` writes what it found; choose another one")


@dataclass(frozen=True)
class Settings:
    """``params.yaml`` as a whole: the profile in use, what the pipeline runs through it, and all profiles.

    Attributes:
        profile: name of the profile in use.
        profiles: the raw section of each profile; ``load_profile`` reads one.
        profile_file: file that the profile in use stands in, for DVC.
        gans: GANs that the pipeline trains; query sets of the pipeline wait for the first alone.
        schemes: schemes that it makes query sets of; the report is about the first.
        variants: variants that it makes, each under every seed.
        variant_seeds: seeds of the variants.
        shared: blocks that profiles take over by YAML's anchors; nothing reads them here.
    """

    profile: str
    profiles: Mapping[str, Mapping[str, Any]]
    profile_file: str = "params.yaml"
    gans: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    variant_seeds: tuple[int, ...] = ()
    shared: Mapping[str, Any] = field(default_factory=dict)

    def load_profile(self, name: str | None = None) -> Profile:
        """The profile ``name``, by default the one in use.

        Raises:
            ConfigError: there is no such profile, none can be called so, or it has unknown, missing or unusable values.
        """
        name = self.profile if name is None else name
        if name not in self.profiles:
            raise UnknownNameError("profile", name, self.profiles)
        check_profile_name(name)
        section = self.profiles[name]
        if "name" in section:
            raise ConfigError(f"profiles.{name}: unknown key 'name'; a profile is called by its own key, {name!r}")
        return parse_section(Profile, {**section, "name": name}, f"profiles.{name}")

    def variant_ids(self) -> tuple[VariantId, ...]:
        """The variants that the pipeline makes."""
        return tuple(VariantId(name, seed) for name in self.variants for seed in self.variant_seeds)

    def check_lists(self, profile: Profile) -> None:
        """Check that ``profile`` has all that the pipeline runs.

        Raises:
            ConfigError: it has no section for a listed GAN, scheme or variant, or nothing is listed.
        """
        for key, sections in (
            ("gans", profile.gans),
            ("schemes", profile.schemes),
            ("variants", profile.variants.each),
        ):
            listed: tuple[str, ...] = getattr(self, key)
            if not listed and key != "variants":
                raise ConfigError(f"{key}: expected at least one to run, got none; list it at the top of params.yaml")
            missing = [name for name in listed if name not in sections]
            if missing:
                where = f"profiles.{profile.name}.{'variants.each' if key == 'variants' else key}"
                raise ConfigError(
                    f"{key}: expected names from {where}, got {', '.join(missing)}; shorten the list at the top of "
                    "params.yaml, or add what is missing to the profile"
                )


def load_settings(path: Path) -> Settings:
    """Read ``params.yaml`` from ``path``, and the profiles in ``profiles/*.yaml`` beside it.

    Raises:
        ConfigError: the file is missing, is not YAML, or has unknown or missing keys or values of another type.
    """
    if not path.exists():
        raise ConfigError(f"expected the settings at {path}, found nothing; run from the project's folder")
    document = _read_yaml(path)
    settings = parse_section(Settings, document, str(path))
    own = {name: section for file in _own_profiles(path) for name, section in _read_own(file).items()}
    twice = sorted(set(own) & set(settings.profiles))
    if twice:
        raise ConfigError(f"profiles/: {twice[0]!r} is a profile of {path}, too; give it another name")
    return replace(settings, profiles={**settings.profiles, **own})


def _own_profiles(path: Path) -> list[Path]:
    """The files of ``profiles/`` beside ``path``; one that is closed to this user is not taken for an empty one."""
    folder = path.parent / "profiles"
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".yaml")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{folder}: expected a folder that this user can read: {error}") from error


def _read_own(path: Path) -> Mapping[str, Any]:
    """The one profile in a file of its own, which has the file's name."""
    document = _read_yaml(path)
    profiles = document.get("profiles") if isinstance(document, Mapping) else None
    if not isinstance(profiles, Mapping) or list(profiles) != [path.stem]:
        raise ConfigError(f"{path}: expected `profiles:` with {path.stem!r} alone below it")
    return profiles


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def load_profile(path: Path, name: str | None = None) -> Profile:
    """Read the profile ``name`` (by default the one in use) from the ``params.yaml`` at ``path``.

    Raises:
        ConfigError: as ``load_settings``, or there is no such profile, or it has unusable values.
    """
    return load_settings(path).load_profile(name)
