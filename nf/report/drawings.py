"""Figures as markup for a page."""

from markupsafe import Markup
from matplotlib.figure import Figure

from nf.report.figures import to_svg


def svg_markup(figure: Figure | None, name: str, description: str) -> Markup:
    """Markup of a figure for a page; empty if ``figure`` is ``None``.

    The markup is matplotlib's, which escapes the names that it draws.

    Args:
        figure: figure to draw.
        name: prefix of all ids in the markup, unique on the page.
        description: text for screen readers.
    """
    return Markup(to_svg(figure, name, description)) if figure else Markup("")
