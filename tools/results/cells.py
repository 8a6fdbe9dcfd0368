"""What several tables write alike: intervals, shares, and what the paper does not state."""

from nf.core.proportions import Proportion
from nf.report import scheme_name
from tools.results.records import Record


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
