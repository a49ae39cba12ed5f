"""Tables and token sequences: data beside what the model draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from .style import CLASSES, HELD_OUT, MODEL, MUTED, legend, new_figure, plain, style

Array = NDArray[Any]


def pairs(
    data: Array,
    samples: Array,
    names: Sequence[str] | None = None,
    title: str = "Held-out data and samples, in pairs of columns",
) -> Figure:
    """Every pair of columns, data and samples over one another; histograms on the diagonal.

    Args:
        data: ``(N, D)``; the first five columns are shown.
        samples: ``(M, D)``.
        names: of the columns.
        title: what is shown.
    """
    data, samples = _flat(data), _flat(samples)
    count = min(5, data.shape[1])
    names = _names(names, count)
    figure = new_figure(max(4.5, 1.9 * count), max(4.2, 1.8 * count + 0.4), title)
    grid = figure.subplots(count, count, squeeze=False)
    for row in range(count):
        for column in range(count):
            axes = style(grid[row, column])
            axes.tick_params(labelsize=7)
            axes.grid(False)
            if row == column:
                edges = _edges(data[:, row], samples[:, row])
                _two_histograms(axes, data[:, row], samples[:, row], edges)
                axes.set_yticks([])
            else:
                for values, colour in ((data, HELD_OUT), (samples, MODEL)):
                    size = float(np.clip(2000 / len(values), 1.5, 10))
                    axes.scatter(
                        values[:, column], values[:, row], s=size, color=colour, alpha=0.5, lw=0
                    )
            if row == count - 1:
                axes.set_xlabel(names[column], fontsize=8.5)
            if column == 0:
                axes.set_ylabel(names[row], fontsize=8.5)
    figure.align_ylabels()
    _key(figure)
    return figure


def marginals(
    data: Array,
    samples: Array,
    names: Sequence[str] | None = None,
    title: str = "Held-out data and samples, column by column",
) -> Figure:
    """A histogram of each column, data and samples over one another, as densities.

    Args:
        data: ``(N, D)``; the first sixteen columns are shown.
        samples: ``(M, D)``.
        names: of the columns.
        title: what is shown.
    """
    data, samples = _flat(data), _flat(samples)
    count = min(16, data.shape[1])
    names = _names(names, count)
    columns = min(4, count)
    rows = math.ceil(count / columns)
    figure = new_figure(max(4.5, 2.1 * columns), 1.6 * rows + 0.6, title)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for i, axes in enumerate(grid):
        if i >= count:
            axes.set_axis_off()
            continue
        style(axes)
        axes.set_title(names[i], fontsize=8.5, color=MUTED, loc="left")
        axes.grid(False)
        axes.set_yticks([])
        axes.tick_params(labelsize=7)
        _two_histograms(axes, data[:, i], samples[:, i], _edges(data[:, i], samples[:, i]))
    _key(figure)
    return figure


def token_strips(
    tokens: Array, levels: int, title: str, *, names: Sequence[str] | None = None
) -> Figure:
    """Sequences as strips, a colour for each token.

    Args:
        tokens: ``(N, T)`` integers below ``levels``.
        levels: number of tokens.
        title: what they are.
        names: of the tokens, shown for at most ten.
    """
    tokens = np.asarray(tokens).reshape(len(tokens), -1)
    count, length = tokens.shape
    figure = new_figure(7.5, min(7.0, 0.22 * count + 1.1), title)
    axes = figure.add_subplot()
    few = levels <= len(CLASSES)
    colours = ListedColormap(CLASSES[:levels]) if few else "viridis"
    drawn = axes.imshow(
        tokens, aspect="auto", interpolation="nearest", cmap=colours, vmin=-0.5, vmax=levels - 0.5
    )
    for row in range(1, count):
        axes.axhline(row - 0.5, color="white", linewidth=1.5)
    axes.set_frame_on(False)
    axes.set_yticks([])
    axes.tick_params(colors=MUTED, labelsize=8.5, length=0)
    axes.set_xlim(-0.5, length - 0.5)
    axes.set_xlabel("position", fontsize=9.5)
    if few:
        for level in range(levels):
            name = plain(names[level]) if names else str(level)
            axes.scatter([], [], marker="s", s=36, color=CLASSES[level], label=name)
        legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.3)
    else:
        bar = figure.colorbar(drawn, ax=axes, fraction=0.03, pad=0.01)
        bar.set_label("token", fontsize=9)
        bar.outline.set_visible(False)
    return figure


def _flat(values: Array) -> Array:
    values = np.asarray(values, float)
    return values.reshape(len(values), -1)


def _names(names: Sequence[str] | None, count: int) -> Sequence[str]:
    return (
        [plain(name) for name in names]
        if names is not None
        else [f"x$_{{{i}}}$" for i in range(count)]
    )


def _edges(data: Array, samples: Array) -> list[float]:
    """Bins over the data's range and a little more: stray samples must not press the rest flat.

    As many as the smaller of both can fill, by the root of its number: 8 to 40.
    """
    bins = int(np.clip(round(2 * min(len(data), len(samples)) ** 0.5), 8, 40))
    low, high = np.nanmin(data), np.nanmax(data)
    room = 0.15 * (high - low) or 0.5
    low, high = max(low - room, min(low, samples.min())), min(high + room, max(high, samples.max()))
    return np.linspace(low, high if high > low else low + 1, bins + 1).tolist()


def _two_histograms(axes: Any, data: Array, samples: Array, edges: list[float]) -> None:
    def share(values: Array) -> Array:
        """Weights for a density of all values: `density=True` divides by none where all stray."""
        return np.full(len(values), 1.0 / (len(values) * (edges[1] - edges[0])))

    step = {"histtype": "step", "linewidth": 1.3}
    axes.hist(data, edges, weights=share(data), color=HELD_OUT, alpha=0.35)
    axes.hist(samples, edges, weights=share(samples), color=MODEL, **step)


def _key(figure: Figure) -> None:

    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, markersize=5)
        for colour in (HELD_OUT, MODEL)
    ]
    figure.legend(
        handles,
        ["data", "samples"],
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
        handletextpad=0.2,
    )
