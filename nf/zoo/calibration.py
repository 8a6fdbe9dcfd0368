"""Which calibration models a profile has: held out from making queries, of every kind, in many lineages.

They are never suspects of an evaluation and never training models, and share no seed with either.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from nf.core.config import ZooConfig
from nf.core.errors import ConfigError
from nf.core.lineage import SOURCE_ID

Details = Mapping[str, Sequence[str]]
"""For every attack its strengths, or the architectures of its students."""


def calibration_ids(config: ZooConfig, copies: Details, students: Details) -> Iterator[str]:
    """Ids of the calibration models, in the grammar of ``nf.zoo.fingerbench``, parents first.

    Args:
        config: architectures, and how many models of which kind.
        copies: attacks that change a copy's weights.
        students: attacks that teach a new model.

    Raises:
        ConfigError: copies are wanted, and there is no attack that makes any.
    """
    copies = {attack: details for attack, details in copies.items() if details}
    wanted, architectures, attacks = config.calibration, config.architectures, {**copies, **students}
    if wanted.copies and not copies:
        raise ConfigError(
            f"zoo.calibration.copies: expected none, as zoo.levels has no attack on them, got {wanted.copies}"
        )
    numbers = _Numbers()
    for kind, lineages, offspring in (
        ("scratch", wanted.independent, wanted.independent_offspring),
        ("twin", wanted.twins, wanted.twin_offspring),
    ):
        roots = [numbers.next(f"{kind}-{architectures[place % len(architectures)]}") for place in range(lineages)]
        yield from roots
        victims = (roots[_turn(place, len(attacks), lineages) % lineages] for place in range(offspring))
        made = (f"{attack}-{victim}" for attack, victim in zip(_spread(attacks, offspring), victims, strict=True))
        # A model of that name may be there already where few lineages have much offspring: one is enough.
        yield from dict.fromkeys(made)
    for details, count in ((copies, wanted.copies), (students, wanted.students)):
        for attack in _spread(details, count):
            yield numbers.next(f"{attack}-{SOURCE_ID}")


def _turn(place: int, attacks: int, lineages: int) -> int:
    """Which lineage the model at ``place`` is made from, where attack follows attack: each meets every one in time.

    The lineages are shifted by one after each round of attacks. Where that comes back to the first before an attack has
    met every lineage, as with 6 attacks and 7 lineages, they are shifted once more whenever it does.
    """
    turn, shared = place + place // attacks, math.gcd(attacks + 1, lineages)
    return turn if shared == 1 else turn + place // (attacks * lineages // shared)


def _spread(details: Details, count: int) -> Iterator[str]:
    """``count`` attacks in turn, as ``<attack>-<detail>``; the details of each lie evenly over all that there are."""
    for place in range(count):
        turn, index = divmod(place, len(details))
        attack = list(details)[index]
        turns, choices = -(-(count - index) // len(details)), details[attack]
        step = len(choices) / turns if turns < len(choices) else 1
        yield f"{attack}-{choices[int((turn + 0.5) * step) % len(choices)]}"


class _Numbers:
    """Suffixes ``-c1``, ``-c2``, … that make equal ids distinct."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def next(self, model_id: str) -> str:
        self._used[model_id] += 1
        return f"{model_id}-c{self._used[model_id]}"
