"""What determines each model: the settings, data and seed that go into its training, as one hash."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nf.core.config import Profile, TrainingConfig
from nf.core.errors import ConfigError
from nf.core.files import sha256_file, sha256_json
from nf.core.lineage import OWN, SOURCE_ID, Lineage, ModelSpec, recipe_hashes
from nf.core.sections import parse_section
from nf.core.seeds import derive_seed
from nf.models import BLACK_BOX, network_digest
from nf.zoo.fingerbench import fingerbench

VERSION = 1
"""Increased when the code that trains models changes its results: every model is then built again."""


@dataclass(frozen=True)
class ZooPlan:
    """The zoo of a profile on given data, with every model's recipe.

    Attributes:
        profile: settings of the profile.
        data: card of the splits (``Splits.card``): hashes, classes, mean and standard deviation of the channels.
    """

    profile: Profile
    data: Mapping[str, Any]

    @cached_property
    def lineage(self) -> Lineage:
        """All models that are trained, parents first."""
        return fingerbench(self.profile.zoo).trained()

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Recipe hash by model id: it changes with the model's own settings and with those of its ancestors."""
        return recipe_hashes(self.lineage, {spec.id: self._recipe(spec) for spec in self.lineage.specs})

    @cached_property
    def digest(self) -> str:
        """Hash of the whole zoo: what each model is and its recipe, copies of files and defences among them."""
        specs = fingerbench(self.profile.zoo).specs
        return sha256_json([{**asdict(spec), "recipe": self.hashes.get(spec.id)} for spec in specs])

    def training(self, architecture: str) -> TrainingConfig:
        """From-scratch schedule of ``architecture``."""
        zoo = self.profile.zoo
        values = {**asdict(zoo.training), **zoo.overrides.get(architecture, {})}
        return parse_section(TrainingConfig, values, f"zoo.overrides.{architecture}")

    def schedule(self, spec: ModelSpec) -> TrainingConfig:
        """From-scratch schedule of one model; see ``CalibrationConfig.efforts``."""
        usual, efforts = self.training(spec.architecture), self.profile.zoo.calibration.efforts
        if spec.pool != "calibration" or spec.attack != "train":
            return usual
        number = int(spec.id.rpartition("-c")[2])
        return replace(usual, epochs=max(1, round(efforts[(number - 1) % len(efforts)] * usual.epochs)))

    def build_arguments(self, architecture: str) -> dict[str, Any]:
        """Arguments of ``nf.models.build_network``, without the seed."""
        return {
            **self._network(architecture),
            "in_channels": self.data["image_shape"][0],
            "num_classes": len(self.data["class_names"]),
            "mean": list(self.data["mean"]),
            "std": list(self.data["std"]),
        }

    def _network(self, architecture: str) -> dict[str, Any]:
        zoo = self.profile.zoo
        outside = zoo.own if architecture == OWN else zoo.networks.get(architecture)
        if outside is None:
            return {"architecture": architecture, **zoo.network(architecture)}
        key = "open" if outside.trainable else BLACK_BOX
        return {key: outside.open, "interface": outside.interface.to_json()}

    def first_weights(self, architecture: str) -> str | None:
        """File with the weights that a network of ``architecture`` begins with; ``None`` where they are drawn."""
        network = self.profile.zoo.networks.get(architecture)
        return None if network is None else network.weights

    def seed(self, spec: ModelSpec) -> int:
        """Seed of one model, derived from its id."""
        return derive_seed(self.profile.seed, "zoo", spec.id)

    def attack_section(self, spec: ModelSpec) -> Mapping[str, Any]:
        """The profile's section for the attack that makes the model ``spec``."""
        return self.profile.zoo.attacks.get(spec.attack, {})

    def _recipe(self, spec: ModelSpec) -> dict[str, Any]:
        fresh = spec.attack in ("train", "distill", "knockoff")
        data = self.profile.data
        zoo = self.profile.zoo
        weights = zoo.source_weights if spec.id == SOURCE_ID else self.first_weights(spec.architecture)
        own = {"own": network_digest(zoo.own)} if zoo.own is not None and spec.id == SOURCE_ID else {}
        rounded = {"rounded": "float16"} if self.profile.zoo.weights == "float16" else {}
        precision = {"precision": self.profile.zoo.precision} if self.profile.zoo.precision else {}
        return {
            "version": VERSION,
            "weights": _hash_of(weights) if weights else None,
            "seed": self.seed(spec),
            "data": self.data["hashes"][spec.data],
            "build": self.build_arguments(spec.architecture),
            "attack": dict(self.attack_section(spec)),
            "training": asdict(self.schedule(spec)) if fresh else None,
            "augment": None if spec.attack == "knockoff" else [data.padding, data.flip],
            **rounded,
            **precision,
            **own,
        }


def _hash_of(weights: str) -> str:
    try:
        return sha256_file(Path(weights))
    except OSError as error:
        raise ConfigError(f"zoo: expected a file with weights at {weights}: {error.strerror}") from error
