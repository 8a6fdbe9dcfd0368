"""ARUC of variants with its interval over seeds: by parts that are on (paper, table 3) and by GAN (figure 9)."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from nf.report.figures.style import INK, SCHEME_COLOURS, look
from nf.report.names import gan_name
from nf.report.variants import VariantRow

_TERMS = {"none": (INK, "o"), "published": (SCHEME_COLOURS[3], "s"), "corrected": (SCHEME_COLOURS[1], "D")}


def ablation_figure(rows: Sequence[VariantRow]) -> Figure | None:
    """One line a variant; None if none of them found enough queries.

    Args:
        rows: from ``ablation_rows``.
    """
    return _figure(rows, _parts)


def gans_figure(rows: Sequence[VariantRow]) -> Figure | None:
    """One line a GAN; None if none of them found enough queries.

    Args:
        rows: from ``gan_rows``.
    """
    return _figure(rows, lambda row: gan_name(row.gan))


def _figure(rows: Sequence[VariantRow], name: Callable[[VariantRow], str]) -> Figure | None:
    drawn = [row for row in rows if row.aruc is not None]
    if not drawn:
        return None
    with look():
        figure = Figure(figsize=(10, 1.0 + 0.32 * len(drawn)), layout="constrained")
        panel = figure.subplots()
        for height, row in enumerate(reversed(drawn)):
            if row.aruc is None:
                continue
            color, marker = _TERMS[row.discriminator]
            if row.aruc.low is not None and row.aruc.high is not None:
                panel.hlines(height, row.aruc.low, row.aruc.high, color=color, linewidth=2, alpha=0.45)
            panel.plot([row.aruc.mean], [height], color=color, marker=marker, markersize=6, linestyle="none")
        panel.set_yticks(range(len(drawn)), [name(row) for row in reversed(drawn)], color=INK)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="y", visible=False)
        best = max(drawn, key=lambda row: row.aruc.mean if row.aruc else 0)
        title = f"Highest: {name(best)}" if len(drawn) > 1 else ""
        panel.set(xlabel="ARUC, mean and interval over seeds", title=title)
    return figure


def _parts(row: VariantRow) -> str:
    term = f"discriminator {row.discriminator}" if row.discriminator != "none" else ""
    parts = ("adversarial label" if row.label else "", "transformations" if row.transform else "", term)
    return " + ".join(filter(None, parts)) or "none of the three"
