"""Figures of query images: one scheme's with both labels (paper, figure 2), and all schemes' beside each other (8)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nf.core.queries import QuerySet
from nf.core.sheets import picture
from nf.report.figures.style import HONEST, STOLEN, look
from nf.report.names import label_name

_LABELLED = 10
_PER_SCHEME = 10


def labels_figure(queries: QuerySet, class_names: Sequence[str]) -> Figure | None:
    """The first queries, each over the label of the source and its thieves and the label of honest models.

    None where the scheme does not say what honest models answer.

    Args:
        queries: query set of one scheme.
        class_names: names of the labels; numbers where there are none.
    """
    if (queries.negative_labels < 0).any():
        return None
    count = min(_LABELLED, len(queries))
    with look():
        figure = Figure(figsize=(10, 2.1), layout="constrained")
        for index, panel in enumerate(figure.subplots(1, count, squeeze=False)[0]):
            _show(panel, queries.images[index])
            for height, label, color in (
                (-0.12, queries.labels[index], STOLEN),
                (-0.36, queries.negative_labels[index], HONEST),
            ):
                where = {"transform": panel.transAxes, "ha": "center", "va": "top"}
                panel.text(0.5, height, label_name(class_names, int(label)), color=color, **where)
        figure.suptitle("first the label of the source and its thieves, then that of honest models", fontsize=9)
    return figure


def queries_figure(query_sets: Mapping[str, QuerySet]) -> Figure:
    """The first queries of every scheme, a row each.

    Args:
        query_sets: query set of each scheme by its display name, at least one.
    """
    with look():
        figure = Figure(figsize=(10, 0.95 * len(query_sets) + 0.1), layout="constrained")
        grid = figure.subplots(len(query_sets), _PER_SCHEME, squeeze=False)
        for row, (name, queries) in zip(grid, query_sets.items(), strict=True):
            for index, panel in enumerate(row):
                if index < len(queries):
                    _show(panel, queries.images[index])
                else:
                    panel.set_axis_off()
            row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def _show(panel: Axes, image: NDArray[np.uint8]) -> None:
    panel.imshow(np.asarray(picture(image)), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set(xticks=[], yticks=[])
    panel.grid(visible=False)
    for spine in panel.spines.values():
        spine.set_visible(False)
