"""What several tables write alike: counts, intervals, shares, and what the paper does not state."""

from nf.core.proportions import Proportion
from nf.report import scheme_name
from tools.results.records import Record


def found(scheme: Record) -> str:
    """How many of the stolen models the scheme called so."""
    wrong = scheme["at_threshold"]
    return f"{wrong['positives'] - wrong['false_negatives']} of {wrong['positives']}"


def accused(scheme: Record) -> str:
    """How many of the independent models the scheme called stolen."""
    wrong = scheme["at_threshold"]
    return f"{wrong['false_positives']} of {wrong['negatives']}"


def twins(scheme: Record) -> str:
    """How many of the honest twins the scheme called stolen."""
    honest = scheme["plus"]["twin"]
    return f"{honest['called_stolen']} of {honest['models']}"


def interval(found: Record, key: str) -> str:
    """The figure ``key`` of a scheme with its interval."""
    return f"{found[key]:.3f}, {found[f'{key}_low']:.3f} to {found[f'{key}_high']:.3f}"


def share(rate: Proportion) -> str:
    """So many of so many, with the interval of the share."""
    low, high = rate.interval()
    return f"{rate.count} of {rate.total} ({low:.1%} to {high:.1%})"


def stated(value: float | None, form: str) -> str:
    """A number of the paper in ``form``, or that it states none."""
    return "not stated" if value is None else format(value, form)


def query_set_seconds(seconds: Record) -> str:
    """Seconds of each scheme's query set, by name."""
    return ", ".join(f"{scheme_name(name)} {seconds[name]:.0f} s" for name in sorted(seconds))
