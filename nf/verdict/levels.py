"""P-values of a suspect against calibration models, and Holm's correction for many suspects.

The models' scores are held out: queries and weights that gave them did not know their lineage.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nf.core.calibration import Calibration, CalibrationModel, Group, Look
from nf.verdict.student import upper_tail

SMALLEST = 1e-6
"""No smaller p-value is stated: nobody has seen that far into the tail."""

EVEN = 0.5
"""No smaller p-value is stated of a suspect that fits honest models at least as well as thieves, or neither of them."""

UNLIKE = 0.01
"""Below, a chance that a thief scores as low as the suspect says that it is no thief like those that are known."""

_NEAR = 0.75
"""Part of the way from honest models to thieves beyond which nothing is unlike a thief, however alike these are."""

_FEWEST = 5
"""Models of a kind that its mean is estimated from; kinds of fewer are taken together."""


@dataclass(frozen=True)
class PValue:
    """The chance that an honest model scores at least as high as the suspect, for one group of honest models.

    Attributes:
        value: what the verdict goes by, in (0, 1]: for a model of any kind, and never less than ranks allow; corrected
            for further looks and suspects, where there are any.
        alone: the same of one suspect after one look.
        ranks: p-value by ranks of lineages alone, in (0, 1]: one more than those with a model that scored as high, over
            one more than all. It assumes nothing but that the suspect is a model like these.
        kind: the kind of model that scores so high most easily.
        worst: p-value for a model of that kind, in (0, 1], no less than ``value``.
        models: number of models that it rests on.
        lineages: number of lineages among these.
        explained: whether honest models or thieves, as they are known, score so; see ``unexplained``.
    """

    value: float
    alone: float
    ranks: float
    kind: str
    worst: float
    models: int
    lineages: int
    explained: bool = True

    def corrected(self, value: float) -> "PValue":
        """The same with another ``value``, in (0, 1], that holds for several tests together."""
        return replace(self, value=value)


def p_value(score: float, look: Look, calibration: Calibration, group: Group) -> PValue | None:
    """How surprising the ``score`` is, in log odds, for a model of ``group``; ``None`` where none is known.

    That is the chance that a further model scores at least as high which is of any of the known kinds, each as likely
    as the others. Scores of a kind are taken to be normal around a mean of the kind, with the deviation that all kinds
    share, so that a further model follows Student's t. Models of one lineage are alike, so there are no more degrees
    of freedom than lineages. Below the highest lineage that was seen, ranks have to agree.

    Where honest models score alike, one that is honest in another way lies far out in their tail, and still far from
    any thief. So the p-value is no less than ``EVEN``, whatever the tail says, at log odds of 0 or less, and where the
    score is ``unexplained``.
    """
    places = calibration.select(group)
    if len(places) == 0:
        return None
    models = [calibration.models[place] for place in places]
    scores = np.array(look.held_out)[places]
    highest: dict[str, float] = {}
    for model, held_out in zip(models, scores, strict=True):
        highest[model.lineage] = max(held_out, highest.get(model.lineage, -math.inf))
    as_high = int(sum(value >= score for value in highest.values()))
    ranks = (1 + as_high) / (1 + len(highest))
    tails = _tails(score, _by_kind(models, scores), len(highest))
    explained = score <= 0 or not unexplained(score, look, calibration, group)
    least = SMALLEST if score > 0 and explained else EVEN
    value = max(sum(tails.values()) / len(tails), ranks if as_high else 0.0, least)
    kind = max(tails, key=lambda name: tails[name])
    return PValue(value, value, ranks, kind, max(tails[kind], value), len(places), len(highest), explained)


def unexplained(score: float, look: Look, calibration: Calibration, group: Group) -> bool:
    """Whether a model that is none of ``group`` would not score so either, as far as models are known.

    Thieves of any known kind score as low in fewer than ``UNLIKE`` of the cases, and the score lies short of three
    quarters of the way from the mean of the group's scores to that of thieves'. For independent models, a model that
    learned from the owner's data has to be as unlikely to score as high: where that is likely, a higher score may be
    unexplained.
    """
    held_out = np.array(look.held_out)

    def of(other: Group) -> tuple[list[CalibrationModel], NDArray[np.float64]]:
        places = calibration.select(other)
        return [calibration.models[place] for place in places], held_out[places]

    thieves, stolen = of("thief")
    if not thieves or score >= (1 - _NEAR) * of(group)[1].mean() + _NEAR * stolen.mean():
        return False
    likeliest = max(_tails(-score, _by_kind(thieves, -stolen), len(thieves)).values())
    twins, trained = of("twin")
    if twins and group == "independent":
        lineages = len({model.lineage for model in twins})
        likeliest = max(likeliest, *_tails(score, _by_kind(twins, trained), lineages).values())
    return likeliest < UNLIKE


def _by_kind(models: Sequence[CalibrationModel], scores: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
    """The scores of each kind; kinds of few models are taken together."""
    kinds: dict[str, list[float]] = {}
    for model, score in zip(models, scores, strict=True):
        kinds.setdefault(model.kind, []).append(float(score))
    few = [kind for kind, values in kinds.items() if len(values) < _FEWEST]
    together = [value for kind in few for value in kinds.pop(kind)]
    if together:
        kinds["others"] = together
    return {kind: np.array(values) for kind, values in kinds.items()}


def _tails(score: float, kinds: Mapping[str, NDArray[np.float64]], lineages: int) -> dict[str, float]:
    """The chance, in [0, 1], that a further model of each kind scores at least ``score``.

    The mean of a kind is drawn towards that of all as far as kinds differ no more than chance lets them (random
    effects).
    """
    values = list(kinds.values())
    counts, means = np.array([len(each) for each in values]), np.array([each.mean() for each in values])
    free = int(counts.sum()) - len(values)
    degrees = min(free, lineages - 1)
    if degrees < 1:
        return dict.fromkeys(kinds, 1.0)
    variance = sum(float(((each - each.mean()) ** 2).sum()) for each in values) / free
    if variance == 0:  # by which nothing can be said of a tail
        return dict.fromkeys(kinds, 1 / (1 + lineages) if score > means.max() else 1.0)
    noise = variance / counts
    between = max(0.0, float(means.var(ddof=1) - noise.mean())) if len(values) > 1 else 0.0
    own = between / (between + noise)
    expected = own * means + (1 - own) * np.concatenate(values).mean()
    distances = (score - expected) / np.sqrt(variance + noise)
    return {kind: upper_tail(float(far), degrees) for kind, far in zip(kinds, distances, strict=True)}


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
