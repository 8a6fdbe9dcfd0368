"""Code that all pages share: the template environment, and drawings as markup."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from nf.report import formats, names
from nf.report.figures.style import to_svg

_FILTERS = ("percent", "exact_interval", "level", "p_value", "points", "decimal", "quantity", "duration")


def environment() -> Environment:
    """Templates of this package; a name that a template does not get is an error."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {name: getattr(formats, name) for name in _FILTERS}
    made.filters["attack"] = names.attack_name
    made.filters["gan"] = names.gan_name
    return made


def svg_markup(figure: Figure | None, name: str, description: str) -> Markup:
    """Markup of a figure for a page; empty if ``figure`` is ``None``.

    The markup is matplotlib's, which escapes the names that it draws.

    Args:
        figure: figure to draw.
        name: prefix of all ids in the markup, unique on the page.
        description: text for screen readers.
    """
    return Markup(to_svg(figure, name, description)) if figure else Markup("")
