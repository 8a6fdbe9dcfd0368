"""P-values of a suspect against calibration models, and Holm's correction for many suspects.

The models' scores are held out: queries and weights that gave them did not know their lineage.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nf.core.calibration import Calibration, Group, Look
from nf.verdict.student import upper_tail

SMALLEST = 1e-6
"""No smaller p-value is stated: nobody has seen that far into the tail."""

_FEWEST = 3
"""Models of a kind that its deviation is estimated from; kinds of fewer are taken together."""


@dataclass(frozen=True)
class PValue:
    """The chance that an honest model scores at least as high as the suspect, for one group of honest models.

    Attributes:
        value: what the verdict goes by, in (0, 1]: the tail of the worst kind, and never less than ranks allow.
        ranks: p-value by ranks of lineages alone, in (0, 1]: one more than those with a model that scored as high, over
            one more than all. It assumes nothing but that the suspect is a model like these.
        kind: the kind of model whose tail is the heaviest at this score.
        models: number of models that it rests on.
        lineages: number of lineages among these.
    """

    value: float
    ranks: float
    kind: str
    models: int
    lineages: int


def p_value(score: float, look: Look, calibration: Calibration, group: Group) -> PValue | None:
    """How surprising the ``score`` is, in log odds, for a model of ``group``; ``None`` where none is known.

    Each kind has a normal distribution whose mean and deviation its models tell, so that a further model follows
    Student's t; the kind with the largest tail counts. Below the highest lineage that was seen, ranks have to agree.
    """
    places = calibration.select(group)
    if len(places) == 0:
        return None
    scores = np.array(look.held_out)[places]
    lineages: dict[str, float] = {}
    for place, held_out in zip(places, scores, strict=True):
        name = calibration.models[place].lineage
        lineages[name] = max(held_out, lineages.get(name, -math.inf))
    as_high = sum(highest >= score for highest in lineages.values())
    ranks = (1 + as_high) / (1 + len(lineages))
    tails = {kind: _tail(score, values) for kind, values in _by_kind(calibration, places, scores).items()}
    kind = max(tails, key=lambda name: tails[name])
    value = max(tails[kind], ranks if as_high else 0.0, SMALLEST)
    return PValue(value, ranks, kind, len(places), len(lineages))


def _by_kind(
    calibration: Calibration, places: NDArray[np.int64], scores: NDArray[np.float64]
) -> Mapping[str, NDArray[np.float64]]:
    kinds: dict[str, list[float]] = {}
    for place, score in zip(places, scores, strict=True):
        kinds.setdefault(calibration.models[place].kind, []).append(float(score))
    if any(len(values) < _FEWEST for values in kinds.values()):
        few = [kind for kind, values in kinds.items() if len(values) < _FEWEST]
        together = [value for kind in few for value in kinds.pop(kind)]
        if len(together) < _FEWEST:  # too few even so: they join all others
            return {"all": scores}
        kinds["others"] = together
    return {kind: np.array(values) for kind, values in kinds.items()}


def _tail(score: float, values: NDArray[np.float64]) -> float:
    count = len(values)
    if count < 2:
        return 1.0
    deviation = float(values.std(ddof=1)) * math.sqrt(1 + 1 / count)
    distance = score - float(values.mean())
    if deviation == 0:
        return 1.0 if distance <= 0 else 0.0
    return upper_tail(distance / deviation, count - 1)


def holm(values: Sequence[float]) -> list[float]:
    """P-values of many suspects, corrected so that a level holds for all of them together (Holm, 1979).

    Args:
        values: (M,) p-values in [0, 1], in any order.

    Returns:
        The corrected p-values in [0, 1], in the same order.
    """
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda place: values[place])):
        highest = max(highest, min(1.0, values[place] * (len(values) - rank)))
        corrected[place] = highest
    return corrected
