"""One look for all figures, and their SVG for the page: themed by CSS, equal bytes for equal data."""

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK = "#1f2933"
MUTED = "#66727f"
GRID = "#dde3e9"
SHADE = "#9aa7b4"
# Vermilion and blue stay distinct under all common colour blindnesses; markers differ too.
STOLEN = "#b84a06"
HONEST = "#1268b3"
SCHEME_COLOURS = ("#7446a8", "#00876c", "#b8860b", "#c2477f", "#3f4a56", "#7a4a21")
SCHEME_MARKERS = ("o", "s", "^", "D", "v", "P")

# The page gives these their dark counterparts.
_CSS_NAMES = {INK: "ink", MUTED: "muted", GRID: "grid", SHADE: "shade", STOLEN: "stolen", HONEST: "honest"} | {
    colour: f"scheme-{index}" for index, colour in enumerate(SCHEME_COLOURS)
}

# Any, since newer versions of matplotlib type their keys and older ones do not.
_SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "text.color": INK,
    # A model may be called $x$.
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.color": MUTED,
    "ytick.labelsize": 8.5,
}


@contextmanager
def look() -> Iterator[None]:
    """Draw the block's figures in the project's look; matplotlib's settings outside stay as they are."""
    with mpl.rc_context(_SETTINGS):
        yield


def panels(count: int, *, height: float, columns: int = 3) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels in rows of ``columns``; it is ten inches wide, and a row ``height`` inches high."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(10, rows * height), layout=ConstrainedLayoutEngine(h_pad=0.1))
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def to_svg(figure: Figure, name: str, description: str) -> str:
    """SVG to put into a page: colours are CSS variables and ids start with ``name``, unique on the page.

    Args:
        figure: any figure of this package.
        name: letters, digits and hyphens.
        description: text for screen readers.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    _, _, svg = buffer.getvalue().partition("<svg ")  # what stands before names a DTD on the network
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, variable in _CSS_NAMES.items():
        svg = svg.replace(colour, f"var(--{variable}, {colour})")
    return f'<svg role="img" aria-label="{html.escape(description)}" {svg}'
