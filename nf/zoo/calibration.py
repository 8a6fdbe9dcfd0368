"""Which calibration models a profile has: held out from making queries, of every kind, in many lineages.

They are never suspects of an evaluation and never training models, and share no seed with either. Attacks, and their
strengths or the architectures of students, are taken in turn, so that few models cover the range.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from nf.core.config import ZooConfig
from nf.core.lineage import SOURCE_ID

_GOLDEN = (math.sqrt(5) - 1) / 2
"""Steps of this length, modulo 1, spread few points evenly over [0, 1)."""


def calibration_ids(config: ZooConfig, details: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Ids of the calibration models, in the grammar of ``nf.zoo.fingerbench``, parents first.

    Args:
        config: architectures, and how many models of which kind.
        details: for every attack the strengths, or the architectures of students.
    """
    wanted, architectures = config.calibration, config.architectures
    numbers = _Numbers()
    for kind, lineages, offspring in (
        ("scratch", wanted.independent, wanted.independent_offspring),
        ("twin", wanted.twins, wanted.twin_offspring),
    ):
        roots = [numbers.next(f"{kind}-{architectures[place % len(architectures)]}") for place in range(lineages)]
        yield from roots
        # Shifted by one after each round of attacks, so that every lineage meets every attack.
        victims = (roots[(place + place // len(details)) % lineages] for place in range(offspring))
        attacks = _attacks(details, offspring)
        # A model of that name may be there already where few lineages have much offspring: one is enough.
        yield from dict.fromkeys(f"{attack}-{victim}" for attack, victim in zip(attacks, victims, strict=True))
    for attack in _attacks(details, wanted.thieves):
        yield numbers.next(f"{attack}-{SOURCE_ID}")


def _attacks(details: Mapping[str, Sequence[str]], count: int) -> Iterator[str]:
    """``count`` attacks in turn, as ``<attack>-<detail>``."""
    names = list(details)
    for place in range(count):
        attack = names[place % len(names)]
        choices = details[attack]
        yield f"{attack}-{choices[int((place + 1) * _GOLDEN % 1 * len(choices))]}"


class _Numbers:
    """Suffixes ``-c1``, ``-c2``, … that make equal ids distinct."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def next(self, model_id: str) -> str:
        self._used[model_id] += 1
        return f"{model_id}-c{self._used[model_id]}"
