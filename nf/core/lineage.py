"""Model specifications: what each model of the zoo is, what it is made from, and in which order to make them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nf.core.errors import ConfigError
from nf.core.files import sha256_json

Role = Literal["positive", "negative"]
Pool = Literal["suspects", "training", "plus", "twins", "calibration"]

MAKING_POOLS: tuple[Pool, ...] = ("training", "twins", "calibration")
"""Pools of models that query sets are made from, in the order in which they are built; none of them is a suspect."""

SOURCE_ID = "source"
MIRROR_ID = "mirror"
OWN = "own"
"""Architecture of a source that the owner trained elsewhere, and of copies of it."""

STUDENT_ATTACKS = ("distill", "knockoff")
"""Attacks that teach a new model with the victim's answers; all others change a copy of its weights."""

# What a thief does to a model's file, and the ways of doing it: such a suspect has no weights of its own in the zoo.
COMPRESSION_NAMES = ("fp16", "int8")
DEFENCE_NAMES = ("jpeg", "blur", "depth", "resize")
COPIES = {"compress": COMPRESSION_NAMES, "defend": DEFENCE_NAMES}


@dataclass(frozen=True)
class ModelSpec:
    """One model of the zoo.

    Attributes:
        id: unique name, also of the model's folder, e.g. ``distill-vgg16_bn-source``.
        architecture: key of ``nf.models.ARCHITECTURES`` or of the profile's ``zoo.networks``, or ``OWN``.
        attack: key of ``nf.attacks.ATTACKS``; ``train`` for a model made from scratch; ``compress`` and ``defend`` for
            copies of a model's file.
        role: ``positive`` for the source model and what descends from it, ``negative`` for independent models.
        data: split that the model learns from: ``A``, ``B``, ``finetune`` or ``knockoff``; empty for a defended copy.
        parent: id of the model that this one is made from or taught by; ``None`` for a model trained from scratch.
        mirror: for a positive, id of the negative that underwent the same attack from the mirror of the source.
        level: the attack's strength or mode (``FTLL``, ``0.3``); empty for an attack without one.
        pool: ``suspects`` (FingerBench), ``plus`` (FingerBench+), ``training`` (the models that fingerprints are made
            from), ``twins`` (further training negatives for schemes that train against twins) or ``calibration``
            (models on which queries are chosen and levels of error stated).
    """

    id: str
    architecture: str
    attack: str
    role: Role
    data: str
    parent: str | None = None
    mirror: str | None = None
    level: str = ""
    pool: Pool = "suspects"

    @property
    def copied(self) -> bool:
        """Whether the model is made from its parent's ONNX file and not trained."""
        return self.attack in COPIES


@dataclass(frozen=True)
class Lineage:
    """A zoo as a directed acyclic graph.

    Attributes:
        specs: all models, every parent before its children.

    Raises:
        ConfigError: two specs share an id, a parent or mirror is missing, or the graph has a cycle.
    """

    specs: tuple[ModelSpec, ...]
    _by_id: dict[str, ModelSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, ModelSpec] = {}
        for spec in self.specs:
            if spec.id in by_id:
                raise ConfigError(f"the zoo lists {spec.id!r} twice; a suspect cannot also be a training model")
            by_id[spec.id] = spec
        for spec in self.specs:
            for relation, other in (("parent", spec.parent), ("mirror", spec.mirror)):
                if other is not None and other not in by_id:
                    raise ConfigError(f"{spec.id!r} names the {relation} {other!r}, which is not in the zoo")
        object.__setattr__(self, "_by_id", by_id)
        depths = {spec.id: self._depth(spec) for spec in self.specs}
        object.__setattr__(self, "specs", tuple(sorted(self.specs, key=lambda spec: depths[spec.id])))

    def __getitem__(self, model_id: str) -> ModelSpec:
        return self._by_id[model_id]

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._by_id

    def __len__(self) -> int:
        return len(self.specs)

    def _depth(self, spec: ModelSpec) -> int:
        depth, current, visited = 0, spec, {spec.id}
        while current.parent is not None:
            if current.parent in visited:
                raise ConfigError(f"the lineage of {spec.id!r} has a cycle through {current.parent!r}")
            visited.add(current.parent)
            current = self._by_id[current.parent]
            depth += 1
        return depth

    def ancestors(self, model_id: str) -> list[ModelSpec]:
        """The specs that ``model_id`` descends from, nearest first."""
        chain = []
        spec = self._by_id[model_id]
        while spec.parent is not None:
            spec = self._by_id[spec.parent]
            chain.append(spec)
        return chain

    def root(self, model_id: str) -> ModelSpec:
        """The model from scratch that ``model_id`` descends from; itself, if it is one."""
        return (self._by_id[model_id], *self.ancestors(model_id))[-1]

    def asked(self) -> "Lineage":
        """Without calibration models, which answer while a query set is made and never afterwards."""
        return Lineage(tuple(spec for spec in self.specs if spec.pool != "calibration"))

    def trained(self) -> "Lineage":
        """The models that have weights of their own."""
        return Lineage(tuple(spec for spec in self.specs if not spec.copied))

    def select(self, *, pool: Pool | None = None, role: Role | None = None) -> list[ModelSpec]:
        """The specs of one pool and role, parents first; ``None`` stands for every pool or role."""
        return [s for s in self.specs if pool in (None, s.pool) and role in (None, s.role)]


def recipe_hashes(lineage: Lineage, recipes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Hash of everything that determines each model: its spec, its recipe and, through the parent's hash, its ancestry.

    Args:
        lineage: the zoo.
        recipes: settings, data hash and seed that each model's training uses, by model id.

    Returns:
        SHA-256 by model id.
    """
    hashes: dict[str, str] = {}
    for spec in lineage.specs:
        identity = {k: v for k, v in asdict(spec).items() if k not in ("mirror", "pool", "role")}
        parent = hashes[spec.parent] if spec.parent is not None else None
        hashes[spec.id] = sha256_json({"spec": identity, "recipe": dict(recipes[spec.id]), "parent": parent})
    return hashes
