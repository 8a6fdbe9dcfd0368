"""Student's t distribution without scipy: a verdict needs numpy only."""

import math


def upper_tail(t: float, degrees: int) -> float:
    """The chance that a t variable of so many degrees of freedom is at least ``t``, in [0, 1].

    By the finite sums for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).

    Args:
        t: any number, also infinite.
        degrees: degrees of freedom, at least 1.

    Raises:
        ValueError: there are fewer than 1.
    """
    if degrees < 1:
        raise ValueError(f"degrees: expected at least 1, got {degrees}")
    angle = math.atan(abs(t) / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term, total = (cosine if odd else 1.0), 0.0
    for step in range(odd + 1, degrees, 2):
        total += term
        term *= cosine * cosine * step / (step + 1)
    central = 2 / math.pi * (angle + sine * total) if odd else sine * total
    tail = (1 - central) / 2
    return tail if t >= 0 else 1 - tail
