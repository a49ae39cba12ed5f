"""Vectors beside what a model makes of them: column against column, or as curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import HELD_OUT, MODEL, MUTED, legend, new_figure, style

Array = NDArray[Any]

#: Columns that are looked at one by one; longer vectors are drawn as curves.
FEW_COLUMNS = 12


def against(
    data: Array,
    found: Array,
    names: Sequence[str] | None = None,
    title: str = "Held-out data and reconstructions, column by column",
) -> Figure:
    """Each column of the reconstructions against the data's; on the line they are equal.

    Args:
        data: ``(N, D)``; the first twelve columns are shown.
        found: ``(N, D)``.
        names: of the columns.
        title: what is shown.
    """
    count = min(FEW_COLUMNS, data.shape[1])
    across = min(4, count)
    down = math.ceil(count / across)
    figure = new_figure(2.3 * across, 2.2 * down + 0.5, title)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.set_visible(False)
    for column in range(count):
        axes = style(grid[column], title=names[column] if names else f"x$_{{{column}}}$")
        values, made = data[:, column], found[:, column]
        ends = [min(values.min(), made.min()), max(values.max(), made.max())]
        axes.plot(ends, ends, color=MUTED, lw=1)
        size = float(np.clip(2000 / len(values), 2, 14))
        axes.scatter(values, made, s=size, color=MODEL, alpha=0.6, lw=0)
        axes.tick_params(labelsize=7)
        if column % across == 0:
            axes.set_ylabel("model", fontsize=8.5)
        if column >= count - across:
            axes.set_xlabel("data", fontsize=8.5)
    return figure


def traces(
    data: Array | None, found: Array, title: str = "Held-out data and reconstructions"
) -> Figure:
    """Vectors as curves over their positions, the model's over the data's.

    Args:
        data: ``(N, D)``, or None for samples alone; the first six are shown.
        found: ``(N, D)``.
        title: what is shown.
    """
    count = min(6, len(found))
    across = min(2, count)
    down = math.ceil(count / across)
    figure = new_figure(4.2 * across, 1.5 * down + 0.6, title)
    grid = figure.subplots(down, across, squeeze=False, sharex=True).ravel()
    for place, axes in enumerate(grid):
        if place >= count:
            axes.set_visible(False)
            continue
        style(axes)
        axes.tick_params(labelsize=7)
        if data is not None:
            axes.plot(data[place], color=HELD_OUT, lw=1.4, label="data")
        axes.plot(found[place], color=MODEL, lw=1.4, label="model")
    if data is not None:
        legend(grid[0], fontsize=8)
    return figure
