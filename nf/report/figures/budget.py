"""Figure of the budget: what each scheme would reach with fewer queries."""

from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.figure import Figure

from nf.report.figures.style import SCHEME_COLOURS, look, panels

Budget = Mapping[str, Sequence[float]]
"""Columns of ``plots/<scheme>/budget.csv``: ``queries``, and ``<metric>_mean`` and ``<metric>_std`` over orders."""

_METRICS = {"aruc": "ARUC", "tpr_at_fpr_0": "TPR at FPR 0"}


def budget_figure(budgets: Mapping[str, Budget]) -> Figure:
    """ARUC and TPR at FPR 0 over the number of queries, mean and standard deviation over their orders.

    Args:
        budgets: budget curve of each scheme by its display name, at least one.
    """
    with look():
        figure, axes = panels(len(_METRICS), height=3.4, columns=2)
        for panel, (metric, title) in zip(axes, _METRICS.items(), strict=True):
            for (name, budget), color in zip(budgets.items(), cycle(SCHEME_COLOURS), strict=False):
                means, deviations = budget[f"{metric}_mean"], budget[f"{metric}_std"]
                low = [mean - deviation for mean, deviation in zip(means, deviations, strict=True)]
                high = [mean + deviation for mean, deviation in zip(means, deviations, strict=True)]
                panel.fill_between(budget["queries"], low, high, color=color, alpha=0.15, linewidth=0)
                panel.plot(budget["queries"], means, color=color, linewidth=1.8, label=name)
            panel.set(xlabel="queries", ylabel=title, ylim=(-0.02, 1.02), title=title)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure
