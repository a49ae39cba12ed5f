"""What codes decode to, in rows and columns: images as they are, vectors as curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import LowerboundError
from .images import image_array
from .style import INK, MUTED, legend, new_figure, plain, style

Array = NDArray[Any]

_CELL, _WIDEST, _TALLEST = 0.78, 9.5, 11.0  # inches
_LETTER = 0.085  # inches of a letter of a row's name


def cells(
    images: Array,
    title: str,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    xlabel: str = "",
    ylabel: str = "",
) -> Figure:
    """Images in rows and columns with their names.

    Args:
        images: ``(R, C, channels, H, W)`` in [0, 1].
        title: what they are.
        rows: a word before each row.
        columns: a word under each column; "" for none.
        xlabel: what changes to the right.
        ylabel: what changes upwards.

    Raises:
        LowerboundError: not images in rows and columns.
    """
    images = np.asarray(images)
    if images.ndim != 5 or 0 in images.shape:
        raise LowerboundError(f"expected images of shape (R, C, C', H, W), came {images.shape}")
    down, across, _, height, width = images.shape
    gap = max(1, round(width / 16))
    whole = image_array(images.reshape(-1, *images.shape[2:]), across, gap)
    tall, wide = whole.shape[:2]
    cell = min(_CELL, _WIDEST / across, _TALLEST / down * width / height)
    cell = max(cell, min(1.6, 3.2 / across))
    inches = cell * across
    longest = max((len(row) for row in rows), default=0) if rows else 0
    left = 0.15 + _LETTER * longest + (0.35 if ylabel else 0.0)
    bottom = (0.25 if columns and any(columns) else 0.0) + (0.25 if xlabel else 0.0)
    size = max(inches + left, 0.105 * len(title) + 0.2)
    figure = new_figure(size, inches * tall / wide + bottom + 0.5, title)
    axes = figure.add_subplot()
    axes.imshow(whole, interpolation="nearest", extent=(0, wide, tall, 0))
    axes.set_anchor("NW")
    axes.set_frame_on(False)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=MUTED, pad=3)
    places = [row * (height + gap) + height / 2 for row in range(down)]
    axes.set_yticks(places if rows else [], [plain(row) for row in rows] if rows else None)
    middles = [column * (width + gap) + width / 2 for column in range(across)]
    axes.set_xticks(middles if columns else [], [plain(c) for c in columns] if columns else None)
    axes.set_xlabel(plain(xlabel), fontsize=9, color=INK)
    axes.set_ylabel(plain(ylabel), fontsize=9, color=INK)
    return figure


def profiles(
    values: Array,
    title: str,
    *,
    names: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    xlabel: str = "",
) -> Figure:
    """Vectors as curves over their positions: a panel for each row, from dark to bright columns.

    Args:
        values: ``(R, C, D)``; the first eight rows are shown.
        title: what they are.
        names: of the positions, where they are a table's columns.
        rows: a word for each row.
        columns: a word for each column; the first and the last stand in a legend.
        xlabel: what changes from column to column.
    """
    values = np.asarray(values)[:8]
    down, across, size = values.shape
    figure = new_figure(7.2, 1.7 * down + 0.8, title)
    grid = figure.subplots(down, 1, squeeze=False, sharex=True).ravel()
    shades = colormaps["viridis"](np.linspace(0.0, 0.9, across))
    for row, axes in enumerate(grid):
        style(axes, title=plain(rows[row]) if rows else "")
        axes.tick_params(labelsize=7.5)
        for column in range(across):
            named = columns is not None and column in (0, across - 1)
            label = plain(columns[column]) if columns and named and columns[column] else None
            mark = "o" if size <= 24 else None
            axes.plot(values[row, column], color=shades[column], lw=1.2, marker=mark, ms=3,
                      label=label)  # fmt: skip
    if names is not None and size <= 24:
        grid[-1].set_xticks(range(size), [plain(n) for n in names], rotation=45, ha="right")
    if columns is not None and any((columns[0], columns[-1])):
        legend(grid[0], fontsize=8, title=xlabel or None, title_fontsize=8)
    return figure
