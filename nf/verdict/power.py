"""What a calibrated query set can and cannot show, by its own calibration models."""

from dataclasses import dataclass

from nf.core.calibration import Calibration, Group, Look
from nf.verdict.decision import outcome
from nf.verdict.levels import p_value

_STEPS = 60  # parts of an interval, and halvings after which nothing of one is left


@dataclass(frozen=True)
class Power:
    """Thieves of one kind among the calibration models.

    Attributes:
        thieves: number of them.
        accused: number of those whose held-out scores would be called stolen or trained on the owner's data.
        stolen: number of those that would be called stolen.
    """

    thieves: int
    accused: int
    stolen: int


def power(calibration: Calibration) -> dict[str, Power]:
    """How many calibration thieves of each kind the levels find, by held-out scores of all queries."""
    look = calibration.full
    verdicts: dict[str, list[str]] = {}
    for place in calibration.select("thief"):
        score = look.held_out[place]
        independent, trained = (p_value(score, look, calibration, group) for group in _HONEST)
        found = outcome(independent, trained, calibration.levels)
        verdicts.setdefault(calibration.models[place].kind, []).append(found)
    return {
        kind: Power(len(found), sum(each != "not shown" for each in found), found.count("stolen"))
        for kind, found in verdicts.items()
    }


def critical_score(look: Look, calibration: Calibration, group: Group, level: float) -> float | None:
    """The score in log odds from which on a suspect is beyond ``level`` for models of ``group``.

    Returns:
        The score, or ``None`` where no score goes beyond: there are no such models, or too few to tell.
    """
    low, high = min(look.held_out) - 1.0, max(look.held_out) + 1.0
    for _ in range(_STEPS):
        found = p_value(high, look, calibration, group)
        if found is None:
            return None
        if found.value <= level:
            break
        low, high = high, high + 2 * (high - low)
    else:
        return None

    def beyond(score: float) -> bool:
        found = p_value(score, look, calibration, group)
        return found is not None and found.value <= level

    # From above: a score that a model of the owner's data explains may be beyond it, and a higher one not.
    step = (high - low) / _STEPS
    while high - step > low and beyond(high - step):
        high -= step
    low = high - step
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return high


_HONEST: tuple[Group, Group] = ("independent", "twin")
