"""A variant under one seed, by one name wherever it has one."""

from dataclasses import dataclass

from nf.core.errors import ConfigError


@dataclass(frozen=True)
class VariantId:
    """A variant of a scheme under one seed, written ``twins-0``: as an item of its stage, as a folder, in records.

    Attributes:
        name: the variant's key in ``params.yaml``; it may have hyphens of its own, as in ``label-transform``.
        seed: 0 or more.
    """

    name: str
    seed: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"variant: expected a seed of 0 or more, got {self.seed}")

    @classmethod
    def parse(cls, text: str) -> "VariantId":
        """The variant that ``text`` names: what follows the last hyphen is the seed.

        Raises:
            ConfigError: ``text`` does not name a variant and a seed.
        """
        name, _, seed = text.rpartition("-")
        if not name or not (seed.isascii() and seed.isdecimal()) or str(int(seed)) != seed:
            raise ConfigError(f"variant: expected <name>-<seed>, such as twins-0, got {text!r}")
        return cls(name, int(seed))

    def __str__(self) -> str:
        return f"{self.name}-{self.seed}"
