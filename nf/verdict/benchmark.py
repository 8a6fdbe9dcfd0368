"""How often verdicts with one query set were wrong on the benchmark's suspects, whose origin is known."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nf.core.errors import ArtifactError
from nf.core.files import read_json
from nf.core.proportions import Proportion
from nf.core.queries import QuerySet
from nf.verdict.card import threshold_of


@dataclass(frozen=True)
class Found:
    """Verdicts on one kind of suspect.

    Attributes:
        suspects: number of suspects.
        accused: number of those that were accused of either.
        stolen: number of those that were called stolen.
    """

    suspects: int
    accused: int
    stolen: int


@dataclass(frozen=True)
class Benchmark:
    """Wrong and right verdicts on the suspects of a zoo, none of which had a part in making the query set.

    Attributes:
        independent_accused: independent models that were accused of either.
        trained_accused: models that learned from the owner's data that were called stolen; ``None`` without such models
            in the zoo.
        missed: stolen models that were not accused at all.
        thieves: stolen models by attack.
    """

    independent_accused: Proportion
    missed: Proportion
    trained_accused: Proportion | None = None
    thieves: Mapping[str, Found] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Counts and shares, with 95 % intervals, and under ``thieves`` the counts of each attack."""
        named = {name: getattr(self, name) for name in ("independent_accused", "trained_accused", "missed")}
        rates = {name: rate.to_json() for name, rate in named.items() if rate is not None}
        return {**rates, "thieves": {attack: asdict(found) for attack, found in self.thieves.items()}}


def load_benchmark(path: Path, queries: QuerySet, *, sequential: bool = False) -> Benchmark:
    """Read what the metrics of a scheme say of verdicts with ``queries``.

    Args:
        path: file ``metrics/<scheme>.json``, of which ``query_set``, ``threshold`` and ``verdicts`` are read.
        queries: query set that the verdict is taken with.
        sequential: whether the verdict is one in stages, which misses other thieves.

    Raises:
        ArtifactError: the file is missing or no metrics, or was made with other queries, at another threshold or with
            another calibration.
    """
    record = read_json(path, advice="evaluate these queries again")
    calibration = queries.calibration.digest if queries.calibration else None
    for name, expected in (
        ("query_set", queries.digest),
        ("threshold", threshold_of(queries)),
        ("calibration", calibration),
    ):
        if record.get(name) != expected:
            raise ArtifactError(
                f"{path}: expected the {name} {expected}, got {record.get(name)}; evaluate these queries first"
            )
    try:
        verdicts = record["sequential"]["verdicts"] if sequential else record["verdicts"]
        trained = verdicts.get("trained_accused")
        return Benchmark(
            independent_accused=Proportion.from_json(verdicts["independent_accused"]),
            missed=Proportion.from_json(verdicts["missed"]),
            trained_accused=None if trained is None else Proportion.from_json(trained),
            thieves={attack: Found(**counts) for attack, counts in verdicts["thieves"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(
            f"{path}: expected counts under 'verdicts', got {error!r}; evaluate these queries again"
        ) from error
