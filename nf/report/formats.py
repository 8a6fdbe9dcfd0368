"""Numbers as people read them; all are filters of the page's template."""

from decimal import Decimal

from nf.core.proportions import Proportion, beside, digits_beside


def percent(share: float, digits: int = 0) -> str:
    """A share in [0, 1]: ``0.934`` gives ``93%``."""
    return f"{100 * share:.{digits}f}%"


def points(margin: float, digits: int = 0) -> str:
    """A difference of two shares in percentage points: ``-0.05`` gives ``−5``."""
    rounded = round(100 * margin, digits) or 0.0  # not -0
    return f"{rounded:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def exact_interval(count: int, total: int, confidence: float) -> str:
    """Clopper-Pearson interval of a share: 0 of 91 at 0.95 gives ``0.0–4.0%``."""
    return interval(*Proportion(count, total).interval(confidence))


def interval(low: float, high: float) -> str:
    """Two shares in [0, 1]: 0 and 0.04 give ``0.0–4.0%``."""
    return f"{100 * low:.1f}\N{EN DASH}{100 * high:.1f}%"


def level(chance: float) -> str:
    """A level or another small chance: ``0.01`` gives ``1%``, ``0.0004`` gives ``0.04%``."""
    return f"{100 * chance:.3g}%"


def p_value(value: float | None, limit: float = 0.0) -> str:
    """A p-value, which is never 0: ``0.0123`` gives ``0.012``, ``0.0000012`` gives ``1.2e-06``; a dash for none.

    Where two digits do not show on which side of ``limit`` it is, more.
    """
    return "\N{EN DASH}" if value is None else beside(value, limit)


def decimal(value: float) -> str:
    """A metric in [0, 1] to three places."""
    return f"{value:.3f}"


def small(value: float, limit: float = 0.0) -> str:
    """A number in [0, 1] to two significant digits, without an exponent: ``0.000012``.

    Where two do not show on which side of ``limit`` it is, more.
    """
    return f"{Decimal(f'{value:.{digits_beside(value, limit) - 1}e}'):f}"


def quantity(value: float) -> str:
    """A number of any size: ``1,000`` for a whole one, others to four significant digits."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Seconds as ``0.8 s``, ``2 min 33 s`` or ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
