"""What each dimension of a code carries: its rate, and what it tells of each factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import HELD_OUT, INK, MUTED, new_figure, plain, style

if TYPE_CHECKING:
    from ..evaluation.representation import Representation

Array = NDArray[Any]

_MOST_ROWS, _MOST_COLUMNS = 24, 40
_LONG = 7  # names longer than that lean


def factor_information(found: Representation, title: str | None = None) -> Figure | None:
    """The rate of each dimension beside its mutual information with every factor.

    Dimensions come by their rate (by what they tell, where they have none), the largest first; a
    cell is I(z_d; v) as a share of H(v), the factor's entropy: a row with one dark cell is a
    dimension that tells of one factor, a column with one is a factor told by one dimension.

    Args:
        found: from :func:`lowerbound.evaluation.representation.measure`.
        title: what is shown.

    Returns:
        None where there is nothing to draw: no factors.
    """
    if not found.factors or not found.used:
        return None
    share = np.asarray(found.information) / np.asarray(found.entropies)
    names = found.factors[:_MOST_COLUMNS]
    rates = None
    if found.kl_per_dimension is not None:
        rates = np.asarray(found.kl_per_dimension)[found.used]
    order = np.argsort(-(share.max(1) if rates is None else rates), kind="stable")[:_MOST_ROWS]
    share, dimensions = share[order][:, : len(names)], np.asarray(found.used)[order]
    height = max(2.2, 0.3 * len(order) + 1.5)
    width = max(3.2, 0.62 * len(names) + 1.8) + (1.5 if rates is not None else 0.0)
    figure = new_figure(width, height, title or "What each dimension tells of each factor")
    ratio = [1.1, max(1.0, 0.5 * len(names) + 0.5)]
    if rates is None:
        axes = figure.add_subplot()
    else:
        bars, axes = figure.subplots(1, 2, width_ratios=ratio)
        style(bars, xlabel="rate (nats)")
        bars.grid(False, axis="y")
        bars.barh(np.arange(len(order)), rates[order], color=HELD_OUT, height=0.82)
        bars.set_ylim(len(order) - 0.5, -0.5)
        bars.set_yticks(np.arange(len(order)), [f"z$_{{{d}}}$" for d in dimensions])
    drawn = axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=MUTED)
    lean = max(map(len, names)) > _LONG or len(names) > 10
    axes.set_xticks(
        np.arange(len(names)),
        [plain(name) for name in names],
        rotation=35 if lean else 0,
        ha="right" if lean else "center",
        rotation_mode="anchor" if lean else "default",
    )
    labels = [f"z$_{{{d}}}$" for d in dimensions] if rates is None else []
    axes.set_yticks(np.arange(len(order)) if labels else [], labels)
    if len(names) <= 12:
        for row, column in np.ndindex(*share.shape):
            value = share[row, column]
            text = f"{value:.2f}".removeprefix("0") if value < 0.995 else "1"
            colour = "white" if value > 0.55 else INK if value >= 0.05 else MUTED
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    bar = figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.03)
    bar.set_label("I(z$_d$; v) / H(v)", fontsize=8.5, color=INK)
    bar.ax.tick_params(labelsize=8, length=2)
    bar.outline.set_visible(False)
    return figure
